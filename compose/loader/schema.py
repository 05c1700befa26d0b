"""The JSON Schema of a Compose file: the attributes of the Compose Specification. Data; imports nothing.

It speaks of a tree whose variables are replaced and whose tags are resolved. A Python module, for a
JSON reader takes longer to import than all of the schema to check; jsonschema is given the same value.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SCHEMA: dict[str, Any] = {
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "A Compose file, in the attributes of the Compose Specification; variables replaced, tags resolved",
  "type": "object",
  "properties": {
    "version": {"$ref": "#/$defs/text"},
    "name": {"$ref": "#/$defs/text"},
    "include": {"type": "array", "items": {"$ref": "#/$defs/include"}},
    "services": {
      "type": "object",
      "patternProperties": {"^[a-zA-Z0-9._-]+$": {"$ref": "#/$defs/service"}},
      "additionalProperties": False
    },
    "networks": {"type": "object", "patternProperties": {"^[a-zA-Z0-9._-]+$": {"$ref": "#/$defs/network"}}},
    "volumes": {
      "type": "object",
      "patternProperties": {"^[a-zA-Z0-9._-]+$": {"$ref": "#/$defs/volume"}},
      "additionalProperties": False
    },
    "secrets": {
      "type": "object",
      "patternProperties": {"^[a-zA-Z0-9._-]+$": {"$ref": "#/$defs/secret"}},
      "additionalProperties": False
    },
    "configs": {
      "type": "object",
      "patternProperties": {"^[a-zA-Z0-9._-]+$": {"$ref": "#/$defs/config"}},
      "additionalProperties": False
    },
    "models": {"type": "object", "patternProperties": {"^[a-zA-Z0-9._-]+$": {"$ref": "#/$defs/model"}}}
  },
  "patternProperties": {"^x-": {}},
  "additionalProperties": False,
  "$defs": {
    "text": {"type": "string"},
    "flag": {"type": ["boolean", "string"]},
    "number": {"type": ["number", "string"]},
    "whole": {"type": ["integer", "string"]},
    "texts": {"type": "array", "items": {"$ref": "#/$defs/text"}, "uniqueItems": True},
    "text_or_texts": {"anyOf": [{"$ref": "#/$defs/text"}, {"$ref": "#/$defs/texts"}]},
    "pairs": {
      "anyOf": [
        {
          "type": "object",
          "patternProperties": {".+": {"type": ["string", "number", "boolean", "null"]}},
          "additionalProperties": False
        },
        {"type": "array", "items": {"$ref": "#/$defs/text"}, "uniqueItems": True}
      ]
    },
    "hosts": {
      "anyOf": [
        {
          "type": "object",
          "patternProperties": {
            ".+": {
              "anyOf": [{"$ref": "#/$defs/text"}, {"type": "array", "items": {"$ref": "#/$defs/text"}}]
            }
          },
          "additionalProperties": False
        },
        {"type": "array", "items": {"$ref": "#/$defs/text"}, "uniqueItems": True}
      ]
    },
    "command": {
      "anyOf": [
        {"type": "null"},
        {"$ref": "#/$defs/text"},
        {"type": "array", "items": {"$ref": "#/$defs/text"}}
      ]
    },
    "options": {"type": "object", "patternProperties": {"^.+$": {"type": ["string", "number"]}}},
    "grants": {
      "type": "array",
      "items": {
        "anyOf": [
          {"$ref": "#/$defs/text"},
          {
            "type": "object",
            "properties": {
              "source": {"$ref": "#/$defs/text"},
              "target": {"$ref": "#/$defs/text"},
              "uid": {"$ref": "#/$defs/text"},
              "gid": {"$ref": "#/$defs/text"},
              "mode": {"$ref": "#/$defs/number"}
            },
            "patternProperties": {"^x-": {}},
            "additionalProperties": False
          }
        ]
      }
    },
    "limits": {
      "type": "object",
      "patternProperties": {
        "^[a-z]+$": {
          "anyOf": [
            {"$ref": "#/$defs/whole"},
            {
              "type": "object",
              "required": ["soft", "hard"],
              "properties": {"soft": {"$ref": "#/$defs/whole"}, "hard": {"$ref": "#/$defs/whole"}},
              "patternProperties": {"^x-": {}},
              "additionalProperties": False
            }
          ]
        }
      }
    },
    "hook": {
      "type": "object",
      "required": ["command"],
      "properties": {
        "command": {"$ref": "#/$defs/command"},
        "user": {"$ref": "#/$defs/text"},
        "privileged": {"$ref": "#/$defs/flag"},
        "working_dir": {"$ref": "#/$defs/text"},
        "environment": {"$ref": "#/$defs/pairs"}
      },
      "patternProperties": {"^x-": {}},
      "additionalProperties": False
    },
    "pre_start_hook": {
      "type": "object",
      "properties": {
        "command": {"$ref": "#/$defs/command"},
        "user": {"$ref": "#/$defs/text"},
        "privileged": {"$ref": "#/$defs/flag"},
        "working_dir": {"$ref": "#/$defs/text"},
        "environment": {"$ref": "#/$defs/pairs"},
        "image": {"$ref": "#/$defs/text"},
        "per_replica": {"$ref": "#/$defs/flag"}
      },
      "patternProperties": {"^x-": {}},
      "additionalProperties": False
    },
    "device_requests": {
      "type": "array",
      "items": {
        "type": "object",
        "required": ["capabilities"],
        "properties": {
          "capabilities": {"$ref": "#/$defs/texts"},
          "count": {"$ref": "#/$defs/whole"},
          "device_ids": {"$ref": "#/$defs/texts"},
          "driver": {"$ref": "#/$defs/text"},
          "options": {"$ref": "#/$defs/pairs"}
        },
        "patternProperties": {"^x-": {}},
        "additionalProperties": False
      }
    },
    "throttle": {
      "type": "object",
      "properties": {"path": {"$ref": "#/$defs/text"}, "rate": {"$ref": "#/$defs/whole"}},
      "additionalProperties": False
    },
    "build": {
      "anyOf": [
        {"$ref": "#/$defs/text"},
        {
          "type": "object",
          "properties": {
            "context": {"$ref": "#/$defs/text"},
            "dockerfile": {"$ref": "#/$defs/text"},
            "dockerfile_inline": {"$ref": "#/$defs/text"},
            "entitlements": {"type": "array", "items": {"$ref": "#/$defs/text"}},
            "args": {"$ref": "#/$defs/pairs"},
            "ssh": {"$ref": "#/$defs/pairs"},
            "labels": {"$ref": "#/$defs/pairs"},
            "cache_from": {"type": "array", "items": {"$ref": "#/$defs/text"}},
            "cache_to": {"type": "array", "items": {"$ref": "#/$defs/text"}},
            "no_cache": {"$ref": "#/$defs/flag"},
            "no_cache_filter": {"$ref": "#/$defs/text_or_texts"},
            "additional_contexts": {"$ref": "#/$defs/pairs"},
            "network": {"$ref": "#/$defs/text"},
            "provenance": {"$ref": "#/$defs/flag"},
            "sbom": {"$ref": "#/$defs/flag"},
            "pull": {"$ref": "#/$defs/flag"},
            "target": {"$ref": "#/$defs/text"},
            "shm_size": {"$ref": "#/$defs/whole"},
            "extra_hosts": {"$ref": "#/$defs/hosts"},
            "isolation": {"$ref": "#/$defs/text"},
            "privileged": {"$ref": "#/$defs/flag"},
            "secrets": {"$ref": "#/$defs/grants"},
            "tags": {"type": "array", "items": {"$ref": "#/$defs/text"}},
            "ulimits": {"$ref": "#/$defs/limits"},
            "platforms": {"type": "array", "items": {"$ref": "#/$defs/text"}}
          },
          "patternProperties": {"^x-": {}},
          "additionalProperties": False
        }
      ]
    },
    "healthcheck": {
      "type": "object",
      "properties": {
        "disable": {"$ref": "#/$defs/flag"},
        "interval": {"$ref": "#/$defs/text"},
        "retries": {"$ref": "#/$defs/number"},
        "test": {"anyOf": [{"$ref": "#/$defs/text"}, {"type": "array", "items": {"$ref": "#/$defs/text"}}]},
        "timeout": {"$ref": "#/$defs/text"},
        "start_period": {"$ref": "#/$defs/text"},
        "start_interval": {"$ref": "#/$defs/text"}
      },
      "patternProperties": {"^x-": {}},
      "additionalProperties": False
    },
    "update": {
      "type": "object",
      "properties": {
        "parallelism": {"$ref": "#/$defs/whole"},
        "delay": {"$ref": "#/$defs/text"},
        "failure_action": {"$ref": "#/$defs/text"},
        "monitor": {"$ref": "#/$defs/text"},
        "max_failure_ratio": {"$ref": "#/$defs/number"},
        "order": {"type": "string", "enum": ["start-first", "stop-first"]}
      },
      "patternProperties": {"^x-": {}},
      "additionalProperties": False
    },
    "deploy": {
      "type": ["object", "null"],
      "properties": {
        "mode": {"$ref": "#/$defs/text"},
        "endpoint_mode": {"$ref": "#/$defs/text"},
        "replicas": {"$ref": "#/$defs/whole"},
        "labels": {"$ref": "#/$defs/pairs"},
        "update_config": {"$ref": "#/$defs/update"},
        "rollback_config": {"$ref": "#/$defs/update"},
        "resources": {
          "type": "object",
          "properties": {
            "limits": {
              "type": "object",
              "properties": {
                "cpus": {"$ref": "#/$defs/number"},
                "memory": {"$ref": "#/$defs/text"},
                "pids": {"$ref": "#/$defs/whole"}
              },
              "patternProperties": {"^x-": {}},
              "additionalProperties": False
            },
            "reservations": {
              "type": "object",
              "properties": {
                "cpus": {"$ref": "#/$defs/number"},
                "memory": {"$ref": "#/$defs/text"},
                "generic_resources": {
                  "type": "array",
                  "items": {
                    "type": "object",
                    "properties": {
                      "discrete_resource_spec": {
                        "type": "object",
                        "properties": {"kind": {"$ref": "#/$defs/text"}, "value": {"$ref": "#/$defs/number"}},
                        "patternProperties": {"^x-": {}},
                        "additionalProperties": False
                      }
                    },
                    "patternProperties": {"^x-": {}},
                    "additionalProperties": False
                  }
                },
                "devices": {"$ref": "#/$defs/device_requests"}
              },
              "patternProperties": {"^x-": {}},
              "additionalProperties": False
            }
          },
          "patternProperties": {"^x-": {}},
          "additionalProperties": False
        },
        "restart_policy": {
          "type": "object",
          "properties": {
            "condition": {"$ref": "#/$defs/text"},
            "delay": {"$ref": "#/$defs/text"},
            "max_attempts": {"$ref": "#/$defs/whole"},
            "window": {"$ref": "#/$defs/text"}
          },
          "patternProperties": {"^x-": {}},
          "additionalProperties": False
        },
        "placement": {
          "type": "object",
          "properties": {
            "constraints": {"type": "array", "items": {"$ref": "#/$defs/text"}},
            "preferences": {
              "type": "array",
              "items": {
                "type": "object",
                "properties": {"spread": {"$ref": "#/$defs/text"}},
                "patternProperties": {"^x-": {}},
                "additionalProperties": False
              }
            },
            "max_replicas_per_node": {"$ref": "#/$defs/whole"}
          },
          "patternProperties": {"^x-": {}},
          "additionalProperties": False
        }
      },
      "patternProperties": {"^x-": {}},
      "additionalProperties": False
    },
    "develop": {
      "type": ["object", "null"],
      "properties": {
        "watch": {
          "type": "array",
          "items": {
            "type": "object",
            "required": ["path", "action"],
            "properties": {
              "path": {"$ref": "#/$defs/text"},
              "action": {
                "type": "string",
                "enum": ["rebuild", "sync", "restart", "sync+restart", "sync+exec"]
              },
              "target": {"$ref": "#/$defs/text"},
              "exec": {"$ref": "#/$defs/hook"},
              "include": {"$ref": "#/$defs/text_or_texts"},
              "ignore": {"$ref": "#/$defs/text_or_texts"},
              "initial_sync": {"type": "boolean"}
            },
            "patternProperties": {"^x-": {}},
            "additionalProperties": False
          }
        }
      },
      "patternProperties": {"^x-": {}},
      "additionalProperties": False
    },
    "mount": {
      "anyOf": [
        {"$ref": "#/$defs/text"},
        {
          "type": "object",
          "required": ["type"],
          "properties": {
            "type": {"type": "string", "enum": ["bind", "volume", "tmpfs", "cluster", "npipe", "image"]},
            "source": {"$ref": "#/$defs/text"},
            "target": {"$ref": "#/$defs/text"},
            "read_only": {"$ref": "#/$defs/flag"},
            "consistency": {"$ref": "#/$defs/text"},
            "bind": {
              "type": "object",
              "properties": {
                "propagation": {"$ref": "#/$defs/text"},
                "create_host_path": {"$ref": "#/$defs/flag"},
                "recursive": {"type": "string", "enum": ["enabled", "disabled", "writable", "readonly"]},
                "selinux": {"type": "string", "enum": ["z", "Z"]}
              },
              "patternProperties": {"^x-": {}},
              "additionalProperties": False
            },
            "volume": {
              "type": "object",
              "properties": {
                "labels": {"$ref": "#/$defs/pairs"},
                "nocopy": {"$ref": "#/$defs/flag"},
                "subpath": {"$ref": "#/$defs/text"}
              },
              "patternProperties": {"^x-": {}},
              "additionalProperties": False
            },
            "tmpfs": {
              "type": "object",
              "properties": {
                "size": {"anyOf": [{"type": "integer", "minimum": 0}, {"$ref": "#/$defs/text"}]},
                "mode": {"$ref": "#/$defs/number"}
              },
              "patternProperties": {"^x-": {}},
              "additionalProperties": False
            },
            "image": {
              "type": "object",
              "properties": {"subpath": {"$ref": "#/$defs/text"}},
              "patternProperties": {"^x-": {}},
              "additionalProperties": False
            }
          },
          "patternProperties": {"^x-": {}},
          "additionalProperties": False
        }
      ]
    },
    "port": {
      "anyOf": [
        {"type": "number"},
        {"$ref": "#/$defs/text"},
        {
          "type": "object",
          "properties": {
            "name": {"$ref": "#/$defs/text"},
            "mode": {"$ref": "#/$defs/text"},
            "host_ip": {"$ref": "#/$defs/text"},
            "target": {"$ref": "#/$defs/whole"},
            "published": {"$ref": "#/$defs/whole"},
            "protocol": {"$ref": "#/$defs/text"},
            "app_protocol": {"$ref": "#/$defs/text"}
          },
          "patternProperties": {"^x-": {}},
          "additionalProperties": False
        }
      ]
    },
    "service_network": {
      "anyOf": [
        {
          "type": "object",
          "properties": {
            "aliases": {"$ref": "#/$defs/texts"},
            "interface_name": {"$ref": "#/$defs/text"},
            "ipv4_address": {"$ref": "#/$defs/text"},
            "ipv6_address": {"$ref": "#/$defs/text"},
            "link_local_ips": {"$ref": "#/$defs/texts"},
            "mac_address": {"$ref": "#/$defs/text"},
            "driver_opts": {"$ref": "#/$defs/options"},
            "priority": {"type": "number"},
            "gw_priority": {"type": "number"}
          },
          "patternProperties": {"^x-": {}},
          "additionalProperties": False
        },
        {"type": "null"}
      ]
    },
    "dependency": {
      "type": "object",
      "required": ["condition"],
      "properties": {
        "condition": {
          "type": "string",
          "enum": ["service_started", "service_healthy", "service_completed_successfully"]
        },
        "restart": {"$ref": "#/$defs/flag"},
        "required": {"type": "boolean"}
      },
      "patternProperties": {"^x-": {}},
      "additionalProperties": False
    },
    "service": {
      "type": "object",
      "properties": {
        "annotations": {"$ref": "#/$defs/pairs"},
        "attach": {"$ref": "#/$defs/flag"},
        "blkio_config": {
          "type": "object",
          "properties": {
            "weight": {"$ref": "#/$defs/whole"},
            "weight_device": {
              "type": "array",
              "items": {
                "type": "object",
                "properties": {"path": {"$ref": "#/$defs/text"}, "weight": {"$ref": "#/$defs/whole"}},
                "additionalProperties": False
              }
            },
            "device_read_bps": {"type": "array", "items": {"$ref": "#/$defs/throttle"}},
            "device_read_iops": {"type": "array", "items": {"$ref": "#/$defs/throttle"}},
            "device_write_bps": {"type": "array", "items": {"$ref": "#/$defs/throttle"}},
            "device_write_iops": {"type": "array", "items": {"$ref": "#/$defs/throttle"}}
          },
          "additionalProperties": False
        },
        "build": {"$ref": "#/$defs/build"},
        "cap_add": {"$ref": "#/$defs/texts"},
        "cap_drop": {"$ref": "#/$defs/texts"},
        "cgroup": {"type": "string", "enum": ["host", "private"]},
        "cgroup_parent": {"$ref": "#/$defs/text"},
        "command": {"$ref": "#/$defs/command"},
        "configs": {"$ref": "#/$defs/grants"},
        "container_name": {"type": "string", "pattern": "[a-zA-Z0-9][a-zA-Z0-9_.-]+", "description": "a container's name: two or more letters, digits, dots, hyphens and underscores"},
        "cpu_count": {"anyOf": [{"$ref": "#/$defs/text"}, {"type": "integer", "minimum": 0}]},
        "cpu_percent": {"anyOf": [{"$ref": "#/$defs/text"}, {"type": "integer", "minimum": 0, "maximum": 100}]},
        "cpu_period": {"$ref": "#/$defs/number"},
        "cpu_quota": {"$ref": "#/$defs/number"},
        "cpu_rt_period": {"$ref": "#/$defs/number"},
        "cpu_rt_runtime": {"$ref": "#/$defs/number"},
        "cpu_shares": {"$ref": "#/$defs/number"},
        "cpus": {"$ref": "#/$defs/number"},
        "cpuset": {"$ref": "#/$defs/text"},
        "credential_spec": {
          "type": "object",
          "properties": {
            "config": {"$ref": "#/$defs/text"},
            "file": {"$ref": "#/$defs/text"},
            "registry": {"$ref": "#/$defs/text"}
          },
          "patternProperties": {"^x-": {}},
          "additionalProperties": False
        },
        "depends_on": {
          "anyOf": [
            {"$ref": "#/$defs/texts"},
            {
              "type": "object",
              "patternProperties": {"^[a-zA-Z0-9._-]+$": {"$ref": "#/$defs/dependency"}},
              "additionalProperties": False
            }
          ]
        },
        "deploy": {"$ref": "#/$defs/deploy"},
        "develop": {"$ref": "#/$defs/develop"},
        "device_cgroup_rules": {"$ref": "#/$defs/texts"},
        "devices": {
          "type": "array",
          "items": {
            "anyOf": [
              {"$ref": "#/$defs/text"},
              {
                "type": "object",
                "required": ["source"],
                "properties": {
                  "source": {"$ref": "#/$defs/text"},
                  "target": {"$ref": "#/$defs/text"},
                  "permissions": {"$ref": "#/$defs/text"}
                },
                "patternProperties": {"^x-": {}},
                "additionalProperties": False
              }
            ]
          }
        },
        "dns": {"$ref": "#/$defs/text_or_texts"},
        "dns_opt": {"$ref": "#/$defs/texts"},
        "dns_search": {"$ref": "#/$defs/text_or_texts"},
        "domainname": {"$ref": "#/$defs/text"},
        "entrypoint": {"$ref": "#/$defs/command"},
        "env_file": {
          "anyOf": [
            {"$ref": "#/$defs/text"},
            {
              "type": "array",
              "items": {
                "anyOf": [
                  {"$ref": "#/$defs/text"},
                  {
                    "type": "object",
                    "required": ["path"],
                    "properties": {
                      "path": {"$ref": "#/$defs/text"},
                      "format": {"$ref": "#/$defs/text"},
                      "required": {"$ref": "#/$defs/flag"}
                    },
                    "additionalProperties": False
                  }
                ]
              }
            }
          ]
        },
        "environment": {"$ref": "#/$defs/pairs"},
        "expose": {"type": "array", "items": {"type": ["string", "number"]}, "uniqueItems": True},
        "extends": {
          "anyOf": [
            {"$ref": "#/$defs/text"},
            {
              "type": "object",
              "required": ["service"],
              "properties": {"service": {"$ref": "#/$defs/text"}, "file": {"$ref": "#/$defs/text"}},
              "additionalProperties": False
            }
          ]
        },
        "external_links": {"$ref": "#/$defs/texts"},
        "extra_hosts": {"$ref": "#/$defs/hosts"},
        "gpus": {
          "anyOf": [
            {"type": "string", "enum": ["all"]},
            {
              "type": "array",
              "items": {
                "type": "object",
                "properties": {
                  "capabilities": {"$ref": "#/$defs/texts"},
                  "count": {"$ref": "#/$defs/whole"},
                  "device_ids": {"$ref": "#/$defs/texts"},
                  "driver": {"$ref": "#/$defs/text"},
                  "options": {"$ref": "#/$defs/pairs"}
                },
                "patternProperties": {"^x-": {}},
                "additionalProperties": False
              }
            }
          ]
        },
        "group_add": {"type": "array", "items": {"type": ["string", "number"]}, "uniqueItems": True},
        "healthcheck": {"$ref": "#/$defs/healthcheck"},
        "hostname": {"$ref": "#/$defs/text"},
        "image": {"$ref": "#/$defs/text"},
        "init": {"$ref": "#/$defs/flag"},
        "ipc": {"$ref": "#/$defs/text"},
        "isolation": {"$ref": "#/$defs/text"},
        "label_file": {"anyOf": [{"$ref": "#/$defs/text"}, {"type": "array", "items": {"$ref": "#/$defs/text"}}]},
        "labels": {"$ref": "#/$defs/pairs"},
        "links": {"$ref": "#/$defs/texts"},
        "logging": {
          "type": "object",
          "properties": {
            "driver": {"$ref": "#/$defs/text"},
            "options": {
              "type": "object",
              "patternProperties": {"^.+$": {"type": ["string", "number", "null"]}}
            }
          },
          "patternProperties": {"^x-": {}},
          "additionalProperties": False
        },
        "mac_address": {"$ref": "#/$defs/text"},
        "mem_limit": {"$ref": "#/$defs/number"},
        "mem_reservation": {"$ref": "#/$defs/whole"},
        "mem_swappiness": {"$ref": "#/$defs/whole"},
        "memswap_limit": {"$ref": "#/$defs/number"},
        "models": {
          "anyOf": [
            {"$ref": "#/$defs/texts"},
            {
              "type": "object",
              "patternProperties": {
                "^[a-zA-Z0-9._-]+$": {
                  "anyOf": [
                    {
                      "type": "object",
                      "properties": {
                        "endpoint_var": {"$ref": "#/$defs/text"},
                        "model_var": {"$ref": "#/$defs/text"}
                      },
                      "patternProperties": {"^x-": {}},
                      "additionalProperties": False
                    },
                    {"type": "null"}
                  ]
                }
              }
            }
          ]
        },
        "network_mode": {"$ref": "#/$defs/text"},
        "networks": {
          "anyOf": [
            {"$ref": "#/$defs/texts"},
            {
              "type": "object",
              "patternProperties": {"^[a-zA-Z0-9._-]+$": {"$ref": "#/$defs/service_network"}},
              "additionalProperties": False
            }
          ]
        },
        "oom_kill_disable": {"$ref": "#/$defs/flag"},
        "oom_score_adj": {
          "anyOf": [{"$ref": "#/$defs/text"}, {"type": "integer", "minimum": -1000, "maximum": 1000}]
        },
        "pid": {"type": ["string", "null"]},
        "pids_limit": {"$ref": "#/$defs/number"},
        "platform": {"$ref": "#/$defs/text"},
        "ports": {"type": "array", "items": {"$ref": "#/$defs/port"}, "uniqueItems": True},
        "post_start": {"type": "array", "items": {"$ref": "#/$defs/hook"}},
        "pre_start": {"type": "array", "items": {"$ref": "#/$defs/pre_start_hook"}},
        "pre_stop": {"type": "array", "items": {"$ref": "#/$defs/hook"}},
        "privileged": {"$ref": "#/$defs/flag"},
        "profiles": {"$ref": "#/$defs/texts"},
        "provider": {
          "type": "object",
          "required": ["type"],
          "properties": {
            "type": {"$ref": "#/$defs/text"},
            "options": {
              "type": "object",
              "patternProperties": {
                "^.+$": {
                  "anyOf": [
                    {"type": ["string", "number", "boolean"]},
                    {"type": "array", "items": {"type": ["string", "number", "boolean"]}}
                  ]
                }
              }
            }
          },
          "patternProperties": {"^x-": {}},
          "additionalProperties": False
        },
        "pull_policy": {
          "type": "string",
          "pattern": "always|never|build|if_not_present|missing|refresh|daily|weekly|every_([0-9]+[wdhms])+",
          "description": "a pull policy: one of always, missing, never, build, daily, weekly, every_12h"
        },
        "pull_refresh_after": {"$ref": "#/$defs/text"},
        "read_only": {"$ref": "#/$defs/flag"},
        "restart": {"$ref": "#/$defs/text"},
        "runtime": {"$ref": "#/$defs/text"},
        "scale": {"$ref": "#/$defs/whole"},
        "secrets": {"$ref": "#/$defs/grants"},
        "security_opt": {"$ref": "#/$defs/texts"},
        "shm_size": {"$ref": "#/$defs/number"},
        "stdin_open": {"$ref": "#/$defs/flag"},
        "stop_grace_period": {"$ref": "#/$defs/text"},
        "stop_signal": {"$ref": "#/$defs/text"},
        "storage_opt": {"type": "object"},
        "sysctls": {"$ref": "#/$defs/pairs"},
        "tmpfs": {"$ref": "#/$defs/text_or_texts"},
        "tty": {"$ref": "#/$defs/flag"},
        "ulimits": {"$ref": "#/$defs/limits"},
        "use_api_socket": {"type": "boolean"},
        "user": {"$ref": "#/$defs/text"},
        "userns_mode": {"$ref": "#/$defs/text"},
        "uts": {"$ref": "#/$defs/text"},
        "volumes": {"type": "array", "items": {"$ref": "#/$defs/mount"}, "uniqueItems": True},
        "volumes_from": {"$ref": "#/$defs/texts"},
        "working_dir": {"$ref": "#/$defs/text"}
      },
      "patternProperties": {"^x-": {}},
      "additionalProperties": False
    },
    "include": {
      "anyOf": [
        {"$ref": "#/$defs/text"},
        {
          "type": "object",
          "properties": {
            "path": {"$ref": "#/$defs/text_or_texts"},
            "env_file": {"$ref": "#/$defs/text_or_texts"},
            "project_directory": {"$ref": "#/$defs/text"}
          },
          "additionalProperties": False
        }
      ]
    },
    "network": {
      "type": ["object", "null"],
      "properties": {
        "name": {"$ref": "#/$defs/text"},
        "driver": {"$ref": "#/$defs/text"},
        "driver_opts": {"$ref": "#/$defs/options"},
        "ipam": {
          "type": "object",
          "properties": {
            "driver": {"$ref": "#/$defs/text"},
            "config": {
              "type": "array",
              "items": {
                "type": "object",
                "properties": {
                  "subnet": {"$ref": "#/$defs/text"},
                  "ip_range": {"$ref": "#/$defs/text"},
                  "gateway": {"$ref": "#/$defs/text"},
                  "aux_addresses": {
                    "type": "object",
                    "patternProperties": {"^.+$": {"$ref": "#/$defs/text"}},
                    "additionalProperties": False
                  }
                },
                "patternProperties": {"^x-": {}},
                "additionalProperties": False
              }
            },
            "options": {
              "type": "object",
              "patternProperties": {"^.+$": {"$ref": "#/$defs/text"}},
              "additionalProperties": False
            }
          },
          "patternProperties": {"^x-": {}},
          "additionalProperties": False
        },
        "external": {
          "anyOf": [
            {"$ref": "#/$defs/flag"},
            {
              "type": "object",
              "properties": {"name": {"$ref": "#/$defs/text"}},
              "patternProperties": {"^x-": {}},
              "additionalProperties": False
            }
          ]
        },
        "internal": {"$ref": "#/$defs/flag"},
        "attachable": {"$ref": "#/$defs/flag"},
        "enable_ipv4": {"$ref": "#/$defs/flag"},
        "enable_ipv6": {"$ref": "#/$defs/flag"},
        "labels": {"$ref": "#/$defs/pairs"}
      },
      "patternProperties": {"^x-": {}},
      "additionalProperties": False
    },
    "volume": {
      "type": ["object", "null"],
      "properties": {
        "name": {"$ref": "#/$defs/text"},
        "driver": {"$ref": "#/$defs/text"},
        "driver_opts": {"$ref": "#/$defs/options"},
        "external": {
          "anyOf": [
            {"$ref": "#/$defs/flag"},
            {
              "type": "object",
              "properties": {"name": {"$ref": "#/$defs/text"}},
              "patternProperties": {"^x-": {}},
              "additionalProperties": False
            }
          ]
        },
        "labels": {"$ref": "#/$defs/pairs"}
      },
      "patternProperties": {"^x-": {}},
      "additionalProperties": False
    },
    "secret": {
      "type": "object",
      "properties": {
        "name": {"$ref": "#/$defs/text"},
        "file": {"$ref": "#/$defs/text"},
        "environment": {"$ref": "#/$defs/text"},
        "external": {
          "anyOf": [
            {"$ref": "#/$defs/flag"},
            {"type": "object", "properties": {"name": {"$ref": "#/$defs/text"}}}
          ]
        },
        "labels": {"$ref": "#/$defs/pairs"},
        "driver": {"$ref": "#/$defs/text"},
        "driver_opts": {"$ref": "#/$defs/options"},
        "template_driver": {"$ref": "#/$defs/text"}
      },
      "patternProperties": {"^x-": {}},
      "additionalProperties": False
    },
    "config": {
      "type": "object",
      "properties": {
        "name": {"$ref": "#/$defs/text"},
        "file": {"$ref": "#/$defs/text"},
        "environment": {"$ref": "#/$defs/text"},
        "content": {"$ref": "#/$defs/text"},
        "external": {
          "anyOf": [
            {"$ref": "#/$defs/flag"},
            {"type": "object", "properties": {"name": {"$ref": "#/$defs/text"}}}
          ]
        },
        "labels": {"$ref": "#/$defs/pairs"},
        "template_driver": {"$ref": "#/$defs/text"}
      },
      "patternProperties": {"^x-": {}},
      "additionalProperties": False
    },
    "model": {
      "type": "object",
      "required": ["model"],
      "properties": {
        "name": {"$ref": "#/$defs/text"},
        "model": {"$ref": "#/$defs/text"},
        "context_size": {"type": "integer"},
        "runtime_flags": {"type": "array", "items": {"$ref": "#/$defs/text"}}
      },
      "patternProperties": {"^x-": {}},
      "additionalProperties": False
    }
  }
}  # fmt: skip
