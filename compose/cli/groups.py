"""Commands below a word of their own: `container run`, `alpha viz`. Data; imports nothing of them.

A group's key is all the words before its commands. A command's module below compose.cli.commands has
a table COMMANDS with the last word as the key.
"""

from __future__ import annotations

from compose.model.record import EMPTY, Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class Group(Record):
    """A group: verb -> (module, summary); other words for some verbs.

    `usage_code` is the exit code for a command line that is wrong: docker's is 125. `hidden`: the
    general help does not name it.
    """

    summary: str
    commands: Mapping[str, tuple[str, str]]
    aliases: Mapping[str, str] = EMPTY
    usage_code: int = 1
    hidden: bool = False


GROUPS: Mapping[str, Group] = {
    "alpha": Group(
        "Experimental commands",
        {
            "generate": ("generate", "EXPERIMENTAL - Generate a Compose file from existing containers"),
            "publish": ("publish", "Publish compose application"),
            "viz": ("graph", "EXPERIMENTAL - Generate a graphviz graph from your compose file"),
        },
        hidden=True,
    ),
    "bridge": Group(
        "Convert compose files into another model",
        {"convert": ("bridge", "Convert compose files to Kubernetes manifests, Helm charts, or another model")},
    ),
    "bridge transformations": Group(
        "Manage transformation images",
        {
            "create": ("bridge", "Create a new transformation"),
            "list": ("bridge", "List available transformations"),
        },
        {"ls": "list"},
    ),
    "builder": Group(
        "Manage the build cache",
        {
            "du": ("builder", "Disk usage of the build cache"),
            "prune": ("builder", "Remove build cache"),
        },
        usage_code=125,
    ),
    "container": Group(
        "Manage containers",
        {
            "attach": ("container.streams", "Attach local standard input, output, and error streams to a running container"),
            "commit": ("container.files", "Create a new image from a container's changes"),
            "cp": ("container.files", "Copy files/folders between a container and the local filesystem"),
            "create": ("container.run", "Create a new container"),
            "diff": ("container.listing", "Inspect changes to files or directories on a container's filesystem"),
            "exec": ("container.streams", "Execute a command in a running container"),
            "export": ("container.files", "Export a container's filesystem as a tar archive"),
            "inspect": ("container.listing", "Display detailed information on one or more containers"),
            "kill": ("container.lifecycle", "Kill one or more running containers"),
            "logs": ("container.streams", "Fetch the logs of a container"),
            "ls": ("container.listing", "List containers"),
            "pause": ("container.lifecycle", "Pause all processes within one or more containers"),
            "port": ("container.listing", "List port mappings or a specific mapping for the container"),
            "prune": ("container.lifecycle", "Remove all stopped containers"),
            "rename": ("container.lifecycle", "Rename a container"),
            "restart": ("container.lifecycle", "Restart one or more containers"),
            "rm": ("container.lifecycle", "Remove one or more containers"),
            "run": ("container.run", "Create and run a new container from an image"),
            "start": ("container.lifecycle", "Start one or more stopped containers"),
            "stats": ("container.listing", "Display a live stream of container(s) resource usage statistics"),
            "stop": ("container.lifecycle", "Stop one or more running containers"),
            "top": ("container.listing", "Display the running processes of a container"),
            "unpause": ("container.lifecycle", "Unpause all processes within one or more containers"),
            "update": ("container.lifecycle", "Update configuration of one or more containers"),
            "wait": ("container.lifecycle", "Block until one or more containers stop, then print their exit codes"),
        },
        {"list": "ls", "ps": "ls", "remove": "rm"},
        usage_code=125,
    ),
    "image": Group(
        "Manage images",
        {
            "build": ("image_build", "Build an image from a Dockerfile"),
            "bootstrap": ("image.making", "Make a base image of a distribution's packages"),
            "history": ("image.listing", "Show the history of an image"),
            "import": ("image.transfer", "Import the contents from a tarball to create a filesystem image"),
            "inspect": ("image.listing", "Display detailed information on one or more images"),
            "load": ("image.transfer", "Load an image from a tar archive or STDIN"),
            "ls": ("image.listing", "List images"),
            "prune": ("image.change", "Remove unused images"),
            "pull": ("image.transfer", "Download an image from a registry"),
            "push": ("image.transfer", "Upload an image to a registry"),
            "rm": ("image.change", "Remove one or more images"),
            "save": ("image.transfer", "Save one or more images to a tar archive (streamed to STDOUT by default)"),
            "sbom": ("image.making", "List the packages in an image (dpkg, apk, pip, npm) as SPDX JSON"),
            "verify": ("image.making", "Check that an image is signed (cosign) by the owner of a public key"),
            "tag": ("image.change", "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE"),
        },
        {"list": "ls", "remove": "rm"},
        usage_code=125,
    ),
    "network": Group(
        "Manage networks",
        {
            "connect": ("network", "Connect a container to a network"),
            "create": ("network", "Create a network"),
            "disconnect": ("network", "Disconnect a container from a network"),
            "inspect": ("network", "Display detailed information on one or more networks"),
            "ls": ("network", "List networks"),
            "prune": ("network", "Remove all unused networks"),
            "rm": ("network", "Remove one or more networks"),
        },
        {"list": "ls", "remove": "rm"},
        usage_code=125,
    ),
    "system": Group(
        "Manage the engine",
        {
            "df": ("system", "Show docker disk usage"),
            "events": ("system", "Get real time events from the server"),
            "info": ("system", "Display system-wide information"),
            "prune": ("system", "Remove unused data"),
        },
        usage_code=125,
    ),
    "volume": Group(
        "Manage volumes",
        {
            "create": ("volume", "Create a volume"),
            "inspect": ("volume", "Display detailed information on one or more volumes"),
            "ls": ("volume", "List volumes"),
            "prune": ("volume", "Remove unused local volumes"),
            "rm": ("volume", "Remove one or more volumes"),
            "update": ("volume", "Update a volume (cluster volumes only)"),
        },
        {"list": "ls", "remove": "rm"},
        usage_code=125,
    ),
}  # fmt: skip
