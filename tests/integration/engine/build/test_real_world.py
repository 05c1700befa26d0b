"""Dockerfiles as people write them for their stacks, with busybox in the place of what they install.

Each is held to what its author expects: paths, owners, modes, the config.
"""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.integration.engine.build.builds import Site

pytestmark = pytest.mark.root

PYTHON = """\
# syntax=docker/dockerfile:1.7
ARG BASE=busybox:bench
FROM ${BASE} AS base
ENV PYTHONUNBUFFERED=1 \\
    VIRTUAL_ENV=/opt/venv
ENV PATH="$VIRTUAL_ENV/bin:$PATH"

FROM base AS builder
RUN --mount=type=cache,target=/root/.cache/pip,sharing=locked \\
    --mount=type=bind,source=requirements.txt,target=/tmp/requirements.txt <<EOF
set -eu
mkdir -p $VIRTUAL_ENV/bin $VIRTUAL_ENV/lib
cp /tmp/requirements.txt $VIRTUAL_ENV/lib/installed
printf '#!/bin/sh\\necho run' > $VIRTUAL_ENV/bin/app
chmod 755 $VIRTUAL_ENV/bin/app
EOF

FROM base
ARG UID=10001
RUN echo "app:x:${UID}:${UID}::/srv:/bin/sh" >> /etc/passwd && echo "app:x:${UID}:" >> /etc/group
COPY --from=builder --chown=app:app $VIRTUAL_ENV $VIRTUAL_ENV
WORKDIR /srv
COPY --chown=app . .
USER app
EXPOSE 8000
HEALTHCHECK --interval=5s --start-interval=200ms CMD ["app", "--check"]
CMD ["app"]
"""


def test_a_python_service_with_a_virtual_environment(site: Site) -> None:
    told = site.made(
        PYTHON.replace(">> /etc/passwd", "> /etc/passwd").replace(">> /etc/group", "> /etc/group").replace(
            'RUN echo "app', 'RUN mkdir -p /etc && echo "app'),
        {"requirements.txt": "flask\n", "main.py": "1", "a/__pycache__/x.pyc": "no", "README.md": "r",
         "notes.md": "n", ".git/HEAD": "h",
         ".dockerignore": ".git\n**/__pycache__\n*.md\n!README.md\n.dockerignore\nDockerfile\n"},
    )  # fmt: skip
    files = site.files(told.image)
    assert {name for name in files if name.startswith("srv/")} == {
        "srv/requirements.txt", "srv/main.py", "srv/README.md", "srv/a",
    }  # fmt: skip
    assert (files["srv/main.py"].uid, files["opt/venv/bin/app"].gid) == (10001, 10001)
    assert files["srv"].uid == 0  # WORKDIR came before USER
    config = site.config(told.image)
    assert config["Env"][0].startswith("PATH=/opt/venv/bin:/usr")
    assert config["Healthcheck"] == {
        "Test": ["CMD", "app", "--check"], "Interval": 5 * 10**9, "StartInterval": 200 * 10**6,
    }  # fmt: skip
    assert (config["User"], config["Cmd"], config["WorkingDir"]) == ("app", ["app"], "/srv")


NODE = """\
# syntax=docker/dockerfile:1
ARG NODE_VERSION=20.11.1
FROM busybox:bench AS base
ARG NODE_VERSION
LABEL minor=${NODE_VERSION%.*} major=${NODE_VERSION%%.*} rest=${NODE_VERSION#*.} dashed=${NODE_VERSION//./-}
WORKDIR /usr/src/app

FROM base AS deps
RUN --mount=type=bind,source=package.json,target=package.json \\
    --mount=type=cache,target=/root/.npm \\
    --mount=type=secret,id=npmrc,target=/root/.npmrc,required=false \\
    mkdir -p node_modules/left-pad && cp package.json node_modules/left-pad/ && cat /root/.npmrc

FROM deps AS build
COPY --exclude=**/*.log --parents ./src/**/*.js ./packages/*/package.json ./
RUN mkdir dist && echo built > dist/out.js

FROM base
ENV NODE_ENV=production
USER 1000:1000
COPY --chmod=0640 --chown=1000:1000 package.json .
COPY --from=deps --link /usr/src/app/node_modules ./node_modules
COPY --from=build /usr/src/app/dist ./dist
COPY <<"RAW" <<config.json /etc/app/
literal $NODE_ENV
RAW
{"env": "$NODE_ENV"}
config.json
VOLUME ["/data"]
STOPSIGNAL SIGQUIT
CMD ["node", "."]
"""


def test_a_node_service_with_a_build_stage(site: Site) -> None:
    context = {
        "package.json": "{}", "src/a/b/x.js": "1", "src/i.js": "2", "src/a/b.log": "3",
        "packages/one/package.json": "one", "packages/two/package.json": "two",
    }  # fmt: skip
    told = site.made(NODE, context, secrets={"npmrc": b"token=1"})
    assert "token=1" in told.output
    files = site.files(told.image)
    assert (files["usr/src/app/package.json"].mode, files["usr/src/app/package.json"].uid) == (0o640, 1000)  # fmt: skip
    assert "root/.npmrc" not in files
    assert site.read(told.image, "etc/app/RAW") == "literal $NODE_ENV\n"
    assert site.read(told.image, "etc/app/config.json") == '{"env": "production"}\n'
    labels = site.config(told.image)["Labels"]
    assert labels == {"minor": "20.11", "major": "20", "rest": "11.1", "dashed": "20-11-1"}
    built = site.made(NODE, context, secrets={"npmrc": b"token=1"}, target="build")
    names = {name.removeprefix("usr/src/app/") for name in site.files(built.image)}
    assert {"src/a/b/x.js", "src/i.js", "packages/one/package.json", "packages/two/package.json"} <= names  # fmt: skip
    assert "src/a/b.log" not in names


GO = """\
FROM --platform=$BUILDPLATFORM busybox:bench AS build
ARG TARGETOS TARGETARCH VERSION=dev
WORKDIR /src
RUN --mount=type=tmpfs,target=/tmp/x,size=1m \\
    --mount=type=cache,id=gomod,target=/go/pkg/mod,uid=1000,gid=1000,mode=0700 \\
    stat -c '%u %a' /go/pkg/mod && mkdir /out && \\
    echo "$TARGETOS/$TARGETARCH $VERSION" > /out/app && chmod 4755 /out/app && cd /out && \\
    cp app copy && touch -d '2001-01-01 00:00:00' old
FROM scratch
COPY --from=build /out/ /
COPY --from=build --chmod=555 /out/app /bin/
USER 65534:65534
ENTRYPOINT ["/app"]
"""


def test_a_go_program_on_scratch(site: Site) -> None:
    told = site.made(GO, args={"VERSION": "1.2"})
    assert "1000 700" in told.output
    files = site.files(told.image)
    assert (files["app"].mode, files["bin/app"].mode) == (0o4755, 0o555)
    assert files["old"].mtime // 86400 == 978307200 // 86400
    assert site.read(told.image, "bin/app").endswith("1.2\n")
    assert "src" not in files
    assert site.config(told.image)["Env"] == ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]  # fmt: skip


PHP = """\
# check=skip=JSONArgsRecommended
FROM busybox:bench
ENV PHP_INI_DIR /usr/local/etc/php
RUN set -eux; \\
	mkdir -p "$PHP_INI_DIR/conf.d"; \\
# a comment in between
	[ ! -d /var/www/html ]; \\
	mkdir -p /var/www/html; \\
	# an indented one
	chmod 1777 /var/www/html

ENV PHPIZE_DEPS \\
		autoconf \\
		file \\
		g++
ENV FLAGS="-fpic -O1" EMPTY= Q='single $notvar' D="dq \\"in\\" $PHP_INI_DIR" E=a\\ b
ARG user=33
SHELL ["/bin/sh", "-exc"]
RUN echo "$PHPIZE_DEPS" "${D}" > /told
COPY --chown=$user:$user --chmod=u=rwX,go=rX . /var/www/html
STOPSIGNAL SIGWINCH
CMD php-fpm
"""


def test_a_php_image_with_tabs_comments_and_old_forms(site: Site) -> None:
    told = site.made(PHP, {"index.php": ("x", 0o600), "bin/run": ("y", 0o700)})
    env = dict(one.split("=", 1) for one in site.config(told.image)["Env"])
    assert env["PHPIZE_DEPS"] == "autoconf \t\tfile \t\tg++"
    assert (env["Q"], env["EMPTY"], env["E"]) == ("single $notvar", "", "a b")
    assert env["D"] == 'dq "in" /usr/local/etc/php'
    files = site.files(told.image)
    assert files["var/www/html"].mode == 0o1777
    assert (files["var/www/html/index.php"].mode, files["var/www/html/bin/run"].mode) == (0o644, 0o755)  # fmt: skip
    assert files["var/www/html/index.php"].uid == 33
    assert site.config(told.image)["Cmd"] == ["/bin/sh", "-exc", "php-fpm"]
    assert "LegacyKeyValueFormat" in told.warnings


JAVA = """\
# escape=`
ARG JAVA_VERSION
FROM busybox:bench AS extract
WORKDIR /builder
ADD app.jar application.jar
ADD app.tar.gz /un/
COPY ["with space.txt", "a b/", "/out put/"]
RUN set -x; `
    ls -R . /un

FROM busybox:bench
ARG JAVA_VERSION=17
LABEL multi="line `
 two" "quoted key"='single'
COPY --from=extract ["/out put/", "/o/"]
COPY --from=extract /un/ /un/
ENV JAVA_TOOL_OPTIONS="-XX:MaxRAMPercentage=75 -Dx=`$HOME" P=${JAVA_VERSION:-1} Q=${JAVA_VERSION:+set}
ENTRYPOINT exec java -jar app.jar
"""


def test_a_java_image_with_a_backtick_for_escape(site: Site) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        entry = tarfile.TarInfo("y")
        entry.size, entry.uid, entry.mode = 1, 7, 0o604
        archive.addfile(entry, io.BytesIO(b"y"))
    told = site.made(
        JAVA, {"app.jar": b"PK\\x03\\x04", "app.tar.gz": packed.getvalue(), "with space.txt": "s", "a b/c": "t"}
    )  # fmt: skip
    files = site.files(told.image)
    assert {"o/with space.txt", "o/c", "un/y"} <= set(files)
    assert (files["un/y"].uid, files["un/y"].mode) == (7, 0o604)  # an archive's own
    config = site.config(told.image)
    assert config["Labels"] == {"multi": "line  two", "quoted key": "single"}
    env = dict(one.split("=", 1) for one in config["Env"])
    assert env["JAVA_TOOL_OPTIONS"] == "-XX:MaxRAMPercentage=75 -Dx=$HOME"
    assert (env["P"], env["Q"]) == ("17", "set")
    assert config["Entrypoint"] == ["/bin/sh", "-c", "exec java -jar app.jar"]
