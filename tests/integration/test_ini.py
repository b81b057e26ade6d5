"""The AWS tools' files, read by leaderexec and by botocore: the same settings, or an error from both. Most files are
generated, from a seed that doesn't change; what people's files had is among them by hand."""

import os
import random
import shlex
import subprocess

import botocore.configloader
import botocore.exceptions
import pytest

ONE_BUILD = True

GENERATED = 600
NAMES = ("default", "prod", "my prof")
PLAIN = ("region", "endpoint_url", "ca_bundle", "credential_process", "login_session", "role_arn", "source_profile")
PLAIN += ("sso_session", "sso_account_id", "services")
NESTED = ("s3.addressing_style", "s3.use_dualstack_endpoint")
KEYS = ("aws_access_key_id", "aws_secret_access_key")

ONE = "aws_access_key_id = AKIAONE\naws_secret_access_key = one\n"
TWO = "aws_access_key_id = AKIATWO\naws_secret_access_key = two\n"

# name: (config, credentials)
BY_HAND = {
    "indented header": (f"[default]\n{ONE}  [profile prod]\n{TWO}", f"[default]\n{ONE}  [prod]\n{TWO}"),
    "wholly indented": ("", "".join("    " + line for line in f"[default]\n{ONE}[prod]\n{TWO}".splitlines(True))),
    "indented settings": ("[default]\n  region = a\n  s3 =\n    addressing_style = path\n  ca_bundle = b\n", ""),
    "below s3": (f"[default]\ns3 =\n{ONE}", ""),
    "indented below s3": ("[default]\ns3 =\n  addressing_style = path\n  region = a\n", ""),
    "below an empty value": ("[default]\nca_bundle =\nregion = a\n", "[default]\nsource_profile =\n" + ONE),
    "colons": ("[default]\nregion: eu-west-3\nca_bundle : /x=y\n", f"[default]\n{ONE}".replace(" =", ":")),
    "quoted name": ('[profile "my prof"]\nregion = a\n', f"[my prof]\n{ONE}"),
    "single quotes": ("[profile 'my prof']\nregion = a\n", ""),
    "quotes that don't end": ('[profile "my prof]\nregion = a\n', ""),
    "blanks in a header": ("[ default ]\nregion = a\n[profile   prod ]\nregion = b\n", ""),
    "process with a number sign": ('[default]\ncredential_process = get "a # b" c #d\n', ""),
    "process that goes on": ("[default]\ncredential_process = get\n  --one 1\n\n  --two '#'\nregion = a\n", ""),
    "comments": ("# c\n[default] # c\n; c\nregion = a ; c\n  # c\n# c\nca_bundle = b#c\n", ""),
    "comment in a value": ("[default]\nca_bundle = a\n# c\n  b\n", ""),
    "dual stack": ("[default]\ns3 =\n    use_dualstack_endpoint = true\n", ""),
    "nesting in capitals": ("[default]\ns3 =\n    Addressing_Style = path\nREGION = a\n", ""),
    "nesting that isn't": ("[default]\ns3 =\n    nothing\n", ""),
    "nesting elsewhere that isn't": ("[other]\nx =\n    nothing\n[default]\nregion = a\n", ""),
    "no setting": (f"[default]\n{ONE}nothing\n", ""),
    "no section": (ONE, f"[default]\n{ONE}"),
    "no name": ("[default]\n= a\n", ""),
    "a name twice": ("", f"[default]\n{ONE}{TWO}"),
    "a section twice": ("", f"[default]\n{ONE}[default]\n"),
    "a profile twice": ("[profile prod]\nregion = a\n[profile 'prod']\nca_bundle = b\n", ""),
    "default twice": ("[default]\nregion = a\n[profile default]\nca_bundle = b\n", ""),
    "not the word": ("[profiles prod]\nregion = a\n[profile]\nregion = b\n[prod]\nregion = c\n", ""),
    "DEFAULT": (f"[DEFAULT]\nregion = a\n{ONE}[profile prod]\nca_bundle = b\n[default]\nregion =\n", "[DEFAULT]\n" + TWO),
    "services": ("[default]\nservices = x\n[services x]\ns3 =\n  endpoint_url = http://a\n", ""),
    "services, quoted": ("[default]\nservices = x\n[services 'x']\nsts =\n  endpoint_url = b\ns3 =\n  endpoint_url = a", ""),
    "older token": ("", f"[default]\n{ONE}aws_session_token = a\naws_security_token = b\n"),
    "CRLF": (f"[default]\r\nregion = a\r\ns3 =\r\n  addressing_style = path\r\n", f"[default]\n{ONE}".replace("\n", "\r\n")),
    "CR alone": ("[default]\rregion = a\r", ""),
    "blanks of other kinds": ("[default]\n\u00a0region\u2003=\u3000a\u00a0\n\x0bca_bundle\t=\tb\x1f\n", ""),
    "long lines": ("[other]\nx = " + "y" * 20000 + "\n[default]\nregion = a\n", "# " + "z" * 20000 + f"\n[default]\n{ONE}"),
    "login": ("[default]\nlogin_session = arn:aws:iam::1:user/me\n", ""),
    "brackets": ("[default]]\nregion = a\n[profile [prod]]\nregion = b\n[]\n", ""),
    "nothing": ("", ""),
}


class Generator:
    """Files that look like people's, with what people do to them."""

    def __init__(self, seed):
        self.chance = random.Random(seed)

    def one_of(self, *choices):
        return self.chance.choice(choices)

    def header(self, config):
        name = self.one_of("default", "default", "prod", "my prof")
        rare = self.chance.random() < 0.1
        if config and name != "default":
            name = "profile " + (f'"{name}"' if " " in name else name)
        if config and self.chance.random() < 0.15:
            name = self.one_of("services x", "sso-session x", "services 'x'", "plugins", "DEFAULT")
        if rare:
            name = self.one_of(f" {name}", f"{name} ", name.upper(), name + "]", f"'{name}'", name.replace(" ", "  "), "")
        return f"[{name}]" + self.one_of("", "", "", "", " # c", " ", "x")

    def value(self):
        return self.one_of(
            "a", "eu-west-1", "x", "true", "", "a b", "a # b", "a;b", "'q # r'", '"z', "a=b", "a: b", "\u00a0v\u00a0", "é"
        )

    def setting(self, used):
        name = self.one_of(*PLAIN, *KEYS, "aws_session_token", "aws_security_token", "s3", "output", "REGION", "Ca_Bundle")
        if name.lower() in used and self.chance.random() < 0.97:
            return None
        used.add(name.lower())
        return name + self.one_of(" = ", "=", " =", ": ", "\t=\t") + self.value()

    def lines(self, config):
        base, used = self.one_of("", "", "", " ", "\t", "    "), set()
        for _ in range(self.chance.randrange(1, 14)):
            kind = self.chance.random()
            indent = base if self.chance.random() < 0.85 else self.one_of("", " ", "  ", "\t\t", "\u00a0")
            if kind < 0.2 or not used:
                used = {""}
                yield base + self.header(config)
            elif kind < 0.65:
                setting = self.setting(used)
                if setting:
                    yield indent + setting
            elif kind < 0.75:
                if "s3" not in used:
                    used.add("s3")
                    yield base + "s3 ="
                    for inner in ("addressing_style", "use_dualstack_endpoint", "endpoint_url", "Odd"):
                        if self.chance.random() < 0.5:
                            yield base + self.one_of("  ", "\t", "  ") + inner + self.one_of(" = ", "=") + self.value()
            elif kind < 0.85:
                yield self.one_of("", "  ", "# c", "  ; c", "\t# x = y")
            elif kind < 0.97:
                yield base + self.one_of("  ", "\t") + self.one_of("more", "--more '#' x", "y = z")
            else:
                yield self.one_of("nothing", "= a", "[open", "x =", "]", ":")

    def file(self, config):
        end = self.one_of("\n", "\n", "\n", "\r\n")
        return end.join(self.lines(config)) + self.one_of(end, "")


def second_word(section, values):
    try:
        words = shlex.split(section)
    except ValueError:
        return {}
    return {words[1]: values} if len(words) == 2 else {}


def profile_of(config_path, credentials_path, name):
    """What botocore's session has of a profile, put as ini_dump puts it."""
    load = botocore.configloader.raw_config_parse
    try:
        parsed, credentials = load(config_path), load(credentials_path)
        flat, flat_credentials = load(config_path, False), load(credentials_path, False)
    except botocore.exceptions.ConfigParseError:
        return "error"
    config = botocore.configloader.build_profile_map(parsed)
    flat = botocore.configloader.build_profile_map(flat)
    if name not in config["profiles"] and name not in credentials:
        return "absent"
    both = {**config["profiles"].get(name, {}), **credentials.get(name, {})}
    both_flat = {**flat["profiles"].get(name, {}), **flat_credentials.get(name, {})}
    found = {"found": "1", **{name: both_flat.get(name, "") for name in PLAIN}}
    for full in NESTED:
        outer, inner = full.split(".")
        value = both.get(outer, {})
        found[full] = value.get(inner, "") if isinstance(value, dict) else ""
    services = {}  # as newer versions read them
    for key, values in parsed.items():
        if key.startswith("services"):
            services.update(second_word(key, values))
    services = services.get(both_flat.get("services"), {}).get("s3", {})
    found["services:s3.endpoint_url"] = services.get("endpoint_url", "") if isinstance(services, dict) else ""
    for where, values in (("config", flat["profiles"]), ("credentials", flat_credentials)):
        values = values.get(name, {})
        for key in KEYS:
            found[f"{where}:{key}"] = values.get(key, "")
        found[f"{where}:token"] = values.get("aws_security_token", values.get("aws_session_token", ""))
    return {name: value for name, value in found.items() if value}


def dumped(build, folder, count, name):
    """What leaderexec has of it, a file after the other."""
    run = subprocess.run(
        [os.path.join(build, "tests/tools/ini_dump"), str(folder), str(count), name],
        capture_output=True,
        text=True,
        check=True,
        env={"ASAN_OPTIONS": "detect_leaks=1"},
    )
    found = []
    for part in run.stdout.split("end\n")[:-1]:
        lines = [line.split(" ", 1) for line in part.splitlines()]
        if lines and lines[0][0] in ("error", "absent"):
            found.append((lines[0][0], part))
        else:
            found.append(({name: bytes.fromhex(value).decode() for name, value in lines}, part))
    return found


def test_botocore_reads_the_same(build, tmp_path):
    cases = dict(BY_HAND)
    for seed in range(GENERATED):
        generator = Generator(seed)
        cases[f"seed {seed}"] = (generator.file(True), generator.file(False) if seed % 2 else "")
    for number, (config, credentials) in enumerate(cases.values()):
        (tmp_path / f"{number}.config").write_bytes(config.encode())
        (tmp_path / f"{number}.credentials").write_bytes(credentials.encode())
    kinds = {"error": 0, "absent": 0, "read": 0}
    for name in NAMES:
        ours = dumped(build, tmp_path, len(cases), name)
        assert len(ours) == len(cases)
        for number, (case, files) in enumerate(cases.items()):
            theirs = profile_of(str(tmp_path / f"{number}.config"), str(tmp_path / f"{number}.credentials"), name)
            kinds[theirs if isinstance(theirs, str) else "read"] += 1
            if "too long" in ours[number][1] and any(len(value) > 60 for value in theirs.values()):
                continue  # where others don't care, it is said
            if ours[number][0] != theirs:
                pytest.fail(f"{case}, profile {name}:\n{files[0]}\n---\n{files[1]}\n---\n{ours[number]}\nbotocore: {theirs}")
    assert all(count > GENERATED / 4 for count in kinds.values()), kinds  # all of it is tried
