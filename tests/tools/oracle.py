#!/usr/bin/python3
"""What botocore, the library beneath the AWS CLI, makes of the variables and files that it finds: the keys that it
would sign with, the region, and S3's address. Prints a JSON object; "error" in it says that there are no keys.

    oracle.py [PROFILE]

STS and SSO are asked at AWS_ENDPOINT_URL_STS and AWS_ENDPOINT_URL_SSO, which older versions of botocore don't read
themselves; without them they aren't asked at all.
"""

import json
import os
import sys

import botocore.session


class Session(botocore.session.Session):
    """A session that asks nobody outside."""

    def create_client(self, service_name, *arguments, **options):
        if service_name in ("sts", "sso"):
            options["endpoint_url"] = os.environ["AWS_ENDPOINT_URL_" + service_name.upper()]
            options["region_name"] = options.get("region_name") or "us-east-1"
        return super().create_client(service_name, *arguments, **options)


def look(profile):
    session = Session(profile=profile)
    credentials = session.get_credentials()
    if credentials is None:
        return {"error": "NoCredentials"}
    frozen = credentials.get_frozen_credentials()
    client = session.create_client("s3", region_name=session.get_config_variable("region") or "us-east-1")
    return {
        "key": frozen.access_key,
        "method": credentials.method,
        "region": client.meta.region_name,
        "endpoint": client.meta.endpoint_url,
    }


if __name__ == "__main__":
    try:
        found = look(sys.argv[1] if len(sys.argv) > 1 else None)
    except Exception as error:  # whatever it is: it has no keys
        found = {"error": type(error).__name__}
    print(json.dumps(found))
