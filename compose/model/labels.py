"""The labels by which a container, network or volume is known to belong to a project.

They are docker compose's, so that either tool finds what the other has made.
"""

from __future__ import annotations

PREFIX = "com.docker.compose."
PROJECT = PREFIX + "project"
SERVICE = PREFIX + "service"
NUMBER = PREFIX + "container-number"
CONFIG_HASH = PREFIX + "config-hash"
ONEOFF = PREFIX + "oneoff"
SLUG = PREFIX + "slug"
VERSION = PREFIX + "version"
IMAGE = PREFIX + "image"
DEPENDS_ON = PREFIX + "depends_on"
REPLACE = PREFIX + "replace"
CONFIG_FILES = PREFIX + "project.config_files"
WORKING_DIR = PREFIX + "project.working_dir"
ENVIRONMENT_FILE = PREFIX + "project.environment_file"
NETWORK = PREFIX + "network"
VOLUME = PREFIX + "volume"
#: Our own: a hash of what configs and secrets contain, whose change docker compose does not see.
CONTENTS_HASH = "pycompose.contents-hash"

#: The version of docker compose whose behaviour is the reference; other tools look at this label.
COMPATIBLE_VERSION = "2.40.3"
