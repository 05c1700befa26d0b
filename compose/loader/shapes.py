"""What a project's document is made of: every attribute, in the order it is printed, and its kind.

Entries are `attribute kind`. Kinds: text, texts, words (texts or numbers), flag, int,
uint (never from a text), float, size,
duration, mode, count, command, test, mapping (text to text), strings
(the same, of texts only), values (text to text or null), multi,
hosts, ssh, env_files, limits, or the name of another shape. `kind?` keeps a zero that was said;
`[shape]` is a list of it, `{shape}` a mapping to it, `{shape?}` one whose values may be null;
`=shape` is always there in JSON, be it empty. Empty values are left out otherwise.
Source: the Compose Specification; the order is the reference's.
"""

from __future__ import annotations

_SHAPES = """
project:
  name text, services {service}, networks {network}, volumes {volume}, secrets {secret},
  configs {config}, models {model}
service:
  profiles texts, annotations mapping, attach flag?, build build?, develop develop?,
  blkio_config blkio?, cap_add texts, cap_drop texts, cgroup_parent text, cgroup text,
  cpu_count int, cpu_percent float, cpu_period int, cpu_quota int, cpu_rt_period int,
  cpu_rt_runtime int, cpus float, cpuset text, cpu_shares int, command command, configs [grant],
  container_name text, credential_spec credential_spec?, depends_on {dependency}, deploy deploy?,
  device_cgroup_rules texts, devices [device], dns texts, dns_opt texts, dns_search texts,
  dockerfile text, domainname text, entrypoint command, provider provider?, environment values,
  env_file env_files, expose words, extends extends?, external_links texts, extra_hosts hosts,
  group_add texts, gpus [device_request], hostname text, healthcheck healthcheck?, image text,
  init flag?, ipc text, isolation text, labels mapping, label_file texts, links texts,
  logging logging?, log_driver text, log_opt strings, mem_limit size, mem_reservation size,
  memswap_limit size, mem_swappiness size, mac_address text, models {service_model?}, net text,
  network_mode text, networks {service_network?}, oom_kill_disable flag, oom_score_adj int,
  pid text, pids_limit int, platform text, ports [port], privileged flag, pull_policy text,
  pull_refresh_after duration?,
  read_only flag, restart text, runtime text, scale int?, secrets [grant], security_opt texts,
  shm_size size, stdin_open flag, stop_grace_period duration?, stop_signal text,
  storage_opt strings, sysctls mapping, tmpfs texts, tty flag, ulimits limits,
  use_api_socket flag, user text, userns_mode text, uts text, volume_driver text, volumes [mount],
  volumes_from texts, working_dir text, pre_start [hook], post_start [hook], pre_stop [hook]
build:
  context text, dockerfile text, dockerfile_inline text, entitlements texts, args values,
  provenance text, sbom text, ssh ssh, labels mapping, cache_from texts, cache_to texts,
  no_cache flag, no_cache_filter texts, additional_contexts mapping, pull flag, extra_hosts hosts, isolation text,
  network text, target text, secrets [grant], shm_size size, tags texts, ulimits limits,
  platforms texts, privileged flag
develop:
  watch [trigger]
trigger:
  path text!, action text!, target text, exec =hook, include texts, ignore texts,
  initial_sync flag
hook:
  command command, user text, privileged flag, working_dir text, environment values,
  image text, per_replica flag?
blkio:
  weight uint, weight_device [weight_device], device_read_bps [throttle],
  device_read_iops [throttle], device_write_bps [throttle], device_write_iops [throttle]
weight_device:
  Path text!, Weight uint!
throttle:
  Path text!, Rate size!
grant:
  source text, target text, uid text, gid text, mode mode?
credential_spec:
  config text, file text, registry text
dependency:
  condition text, restart flag, required flag!
deploy:
  mode text, replicas int?, labels mapping, update_config update?, rollback_config update?,
  resources =resources, restart_policy restart_policy?, placement =placement, endpoint_mode text
update:
  parallelism uint?, delay duration, failure_action text, monitor duration,
  max_failure_ratio float, order text
resources:
  limits resource?, reservations resource?
resource:
  cpus float, memory size, pids int, devices [device_request],
  generic_resources [generic_resource]
generic_resource:
  discrete_resource_spec discrete_resource?
discrete_resource:
  kind text!, value int!
restart_policy:
  condition text, delay duration?, max_attempts uint?, window duration?
placement:
  constraints texts, preferences [preference], max_replicas_per_node uint
preference:
  spread text
device:
  source text, target text, permissions text
device_request:
  capabilities texts, driver text, count count, device_ids texts, options mapping
provider:
  type text, options multi
extends:
  file text, service text
healthcheck:
  test test, timeout duration?, interval duration?, retries uint?, start_period duration?,
  start_interval duration?, disable flag
logging:
  driver text, options mapping
service_model:
  endpoint_var text, model_var text
service_network:
  aliases texts, driver_opts mapping, gw_priority int, interface_name text, ipv4_address text,
  ipv6_address text, link_local_ips texts, mac_address text, priority int
port:
  name text, mode text, host_ip text, target uint, published text, protocol text, app_protocol text
mount:
  type text, source text, target text, read_only flag, consistency text, bind mount_bind?,
  volume mount_volume?, tmpfs mount_tmpfs?, image mount_image?
mount_bind:
  selinux text, propagation text, create_host_path flag, recursive text
mount_volume:
  labels mapping, nocopy flag, subpath text
mount_tmpfs:
  size size, mode uint
mount_image:
  subpath text
network:
  name text, driver text, driver_opts mapping, ipam =ipam, external flag, internal flag,
  attachable flag, labels mapping, enable_ipv4 flag?, enable_ipv6 flag?
ipam:
  driver text, config [pool]
pool:
  subnet text, gateway text, ip_range text, aux_addresses mapping
volume:
  name text, driver text, driver_opts mapping, external flag, labels mapping
secret:
  name text, file text, environment text, content text, external flag, labels mapping,
  driver text, driver_opts strings, template_driver text
config:
  name text, file text, environment text, content text, external flag, labels mapping,
  driver text, driver_opts strings, template_driver text
model:
  name text, model text, context_size int, runtime_flags texts
"""


class Kind:
    """How an attribute's value is read; `shape` "" is a scalar or a collection of scalars."""

    __slots__ = ("always", "form", "keep_zero", "nullable", "shape")

    def __init__(
        self,
        form: str,  # "one", "list", "map" of the shape, or the scalar's kind
        shape: str = "",
        *,
        keep_zero: bool = False,  # a zero that was said is printed
        always: bool = False,  # printed even if it was not said
        nullable: bool = False,  # a mapping's values may be null
    ) -> None:
        self.form = form
        self.shape = shape
        self.keep_zero = keep_zero
        self.always = always
        self.nullable = nullable


Shape = dict[str, Kind]


class _Shapes(dict[str, Shape]):
    """All shapes by name; each is read from the text when it is first asked for."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._texts: dict[str, str] = {}
        name = ""
        for line in text.strip().splitlines():
            if line[0] != " ":
                name = line.rstrip(":")
            else:
                self._texts[name] = self._texts.get(name, "") + line

    def __missing__(self, name: str) -> Shape:
        shape = self[name] = {
            attribute: self._kind(text)
            for attribute, text in map(str.split, self._texts[name].split(","))
        }
        return shape

    def _kind(self, text: str) -> Kind:
        optional, always = text.endswith("?"), text.endswith("!")
        word = text.rstrip("?!")
        if text[0] == "[":
            return Kind("list", text[1:-1])
        if text[0] == "{":
            return Kind("map", text[1:-1].rstrip("?"), nullable="?" in text)
        if text[0] == "=":
            return Kind("one", text[1:], always=True)
        if word in self._texts and optional:
            return Kind("one", word, keep_zero=True)
        keep_zero = optional or always
        return Kind(word, keep_zero=keep_zero, always=always or word == "command")


SHAPES = _Shapes(_SHAPES)
