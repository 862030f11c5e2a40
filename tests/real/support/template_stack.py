"""Creates stacks of the transformed template in moto, a stand-in for AWS, and prints the supported parts.

Standard input: JSON, {"template": …, "parameters": [{name: value}, …]}. The last line of standard output: JSON, a list
of {"statements": of the role's policy, "groups": days by log group, "variables": of the function}.
"""

import io
import json
import os
import sys
import warnings
import zipfile
from ast import literal_eval

import boto3
from moto import mock_aws

warnings.simplefilter("ignore")  # about resources that moto does not support
os.environ.update(AWS_ACCESS_KEY_ID="testing", AWS_SECRET_ACCESS_KEY="testing")


@mock_aws
def make(template, parameters):
    """Creates one stack in a separate account and returns its supported parts."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("bootstrap", "")
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name})
    s3.put_object(Bucket="bucket", Key="archive", Body=archive.getvalue())
    boto3.client("cloudformation").create_stack(
        StackName="roomkey",
        TemplateBody=json.dumps(template),
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
    )
    iam = boto3.client("iam")
    (role,) = iam.list_roles()["Roles"]
    assert not iam.list_attached_role_policies(RoleName=role["RoleName"])["AttachedPolicies"]
    names = iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]
    documents = [iam.get_role_policy(RoleName=role["RoleName"], PolicyName=name)["PolicyDocument"] for name in names]
    # moto stores the document from CloudFormation as the text of a Python literal.
    documents = [literal_eval(document) if isinstance(document, str) else document for document in documents]
    (function,) = boto3.client("lambda").list_functions()["Functions"]
    return {
        # CloudFormation drops items without a value from a list, while moto keeps empty ones.
        "statements": [statement for document in documents for statement in document["Statement"] if statement],
        "groups": {group["logGroupName"]: group["retentionInDays"] for group in boto3.client("logs").describe_log_groups()["logGroups"]},
        "variables": function["Environment"]["Variables"],
    }


asked = json.load(sys.stdin)
print(json.dumps([make(asked["template"], parameters) for parameters in asked["parameters"]]))
