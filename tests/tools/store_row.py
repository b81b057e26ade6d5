#!/usr/bin/python3
"""What scripts/stores can't say in a shell.

store_row.py bucket NAME KIND             makes a bucket at AWS_ENDPOINT_URL: KIND versioned or locked, else plain
store_row.py row NAME VERSION FOLDER      a row of README.md's table, and on stderr what check said. FOLDER/check
                                          has its JSON, FOLDER/contract what the contract test printed, where it
                                          ran. Exits 0 where the store serves, 1 where it doesn't
"""

import datetime
import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import stores  # noqa: E402


def make_bucket(name, kind):
    env = os.environ
    client = stores.s3_client(env["AWS_ENDPOINT_URL"], env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"])
    client.create_bucket(Bucket=name, **({"ObjectLockEnabledForBucket": True} if kind == "locked" else {}))
    if kind == "versioned":
        client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})


def judge_contract(path):
    """(passed, words)"""
    if not os.path.exists(path):
        return True, None
    with open(path, errors="replace") as f:
        text = f.read()
    passed = re.search(r"PASSED *\] (\d+) test", text)
    failed = re.search(r"(\d+) FAILED TEST", text)
    names = re.findall(r"FAILED *\] (\w+)$", text, re.M)
    if passed and not failed:
        return True, f"contract {passed[1]} of {passed[1]}"
    return False, "contract fails in " + (", ".join(dict.fromkeys(names))[:200] or "its beginning")


def row(name, version, folder):
    with open(os.path.join(folder, "check")) as f:
        items = {item["item"]: item for item in json.load(f)["items"]}
    fails = [item for item, found in items.items() if found["level"] == "FAIL"]
    contract_passed, words = judge_contract(os.path.join(folder, "contract"))
    evidence = []
    if "race" in items:
        race = items["race"]
        bad = int(race["rounds_bad"])
        evidence.append(
            f"{int(race['writers'])} writers: "
            + (f"one winner in {int(race['rounds'])} of {int(race['rounds'])} rounds" if not bad else "")
            + (
                f"{race['winners_mean']:.1f} winners on average, {bad} of {int(race['rounds'])} rounds bad"
                if bad
                else ""
            )
        )
    evidence += [f"{item}: {items[item]['text'][:120]}" for item in fails if item not in ("race", "once")]
    evidence += [words] if words else []
    serves = not fails and contract_passed
    verdict = "serves" if serves else "refused" if fails else "breaks the contract"
    today = datetime.date.today().isoformat()
    print(f"| {name} | {version} | {verdict} | {'; '.join(evidence)}; measured {today} |")
    for item in items.values():
        print(f"    {item['level']:4}  {item['item']:11}  {item['text']}", file=sys.stderr)
    return 0 if serves else 1


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[1] == "bucket":
        make_bucket(*sys.argv[2:])
    elif len(sys.argv) == 5 and sys.argv[1] == "row":
        sys.exit(row(*sys.argv[2:]))
    else:
        sys.exit(__doc__)
