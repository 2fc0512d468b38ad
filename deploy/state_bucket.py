"""`make bootstrap`: the bucket of Terraform's state, and `backend.tf` in Terraform's folder, which names it."""

import json
import re
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from deploy.cloud import Cloud, code_of, one_line_errors
from deploy.errors import UnableToShip
from deploy.variables import TERRAFORM, Variables

BACKEND = TERRAFORM / "backend.tf"
_EXPIRY_DAYS = 365
_NAMED = {
    "bucket": re.compile(r'^\s*bucket\s*=\s*"([^"]+)"', re.MULTILINE),
    "region": re.compile(r'^\s*region\s*=\s*"([^"]+)"', re.MULTILINE),
    "account": re.compile(r'^\s*allowed_account_ids\s*=\s*\["([0-9]+)"\]', re.MULTILINE),
}


def bootstrap(*, variables: Variables, cloud: Cloud, backend: Path = BACKEND) -> str:
    """Makes the bucket where it is missing, sets it up, and writes the backend; the bucket's name.

    Safe to repeat. A backend that is there already is kept. Raises UnableToShip for one of another account.
    """
    if backend.is_file():
        bucket, region = state_bucket(cloud=cloud, backend=backend), _named("region", backend) or cloud.region
    else:
        bucket, region = f"{variables.project}-terraform-state-{cloud.account}", cloud.region
    print(f"The state of Terraform goes into the bucket {bucket}, in {region}: some cents a month.")
    with one_line_errors():
        _made(Cloud(account=cloud.account, region=region).client("s3"), bucket=bucket, region=region)
    if not backend.is_file():
        unfinished = backend.with_suffix(".unfinished")
        unfinished.write_text(_backend(bucket=bucket, region=region, account=cloud.account), encoding="utf-8")
        unfinished.replace(backend)
    print(
        f"terraform/{backend.name} names it. Keep that file and {variables.file.name} where your colleagues find them."
    )
    return bucket


def state_bucket(*, cloud: Cloud, backend: Path = BACKEND) -> str:
    """The bucket that the backend names. Raises UnableToShip without a backend, and for another account's."""
    if not backend.is_file():
        raise UnableToShip("terraform/backend.tf is missing: run `make bootstrap` first")
    account, bucket = _named("account", backend), _named("bucket", backend)
    if account not in {None, cloud.account}:
        raise UnableToShip(
            f"the credentials are for the account {cloud.account}, and terraform/backend.tf for {account}"
        )
    if bucket is None:
        raise UnableToShip("terraform/backend.tf names no bucket: remove it, and run `make bootstrap`")
    return bucket


def _named(what: str, backend: Path) -> str | None:
    found = _NAMED[what].search(backend.read_text(encoding="utf-8"))
    return found[1] if found else None


def _made(s3: Any, *, bucket: str, region: str) -> None:
    where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    try:
        s3.create_bucket(Bucket=bucket, **where)
    except ClientError as error:
        if code_of(error) != "BucketAlreadyOwnedByYou":
            if code_of(error) == "BucketAlreadyExists":
                raise UnableToShip(f"the bucket {bucket} belongs to another account") from error
            raise
    s3.put_public_access_block(
        Bucket=bucket,
        PublicAccessBlockConfiguration=dict.fromkeys(
            ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
        ),
    )
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    encryption = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=encryption)
    old = {
        "ID": "old-states",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "NoncurrentVersionExpiration": {"NoncurrentDays": _EXPIRY_DAYS},
    }
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [old]})
    # Where AWS is reached without TLS, as on one machine, nobody could get in any more.
    if s3.meta.endpoint_url.startswith("https:"):
        s3.put_bucket_policy(Bucket=bucket, Policy=_tls_alone(bucket))


def _tls_alone(bucket: str) -> str:
    arn = f"arn:aws:s3:::{bucket}"
    statement = {
        "Sid": "RefuseWithoutTls",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _backend(*, bucket: str, region: str, account: str) -> str:
    return f"""# Written by `make bootstrap`. The key is given with `terraform init`, one for each environment.
terraform {{
  backend "s3" {{
    bucket              = "{bucket}"
    region              = "{region}"
    allowed_account_ids = ["{account}"]
    encrypt             = true
    use_lockfile        = true
  }}
}}
"""
