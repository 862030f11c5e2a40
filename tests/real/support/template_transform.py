"""Applies SAM's transform to templates as in a deployment, without AWS.

Standard input: JSON, a list of {"template": text, "parameters": {name: value}}. Standard output: JSON, a list of
{"source": the unchanged template, "transformed": the template for CloudFormation}, with functions in their long form.
"""

import json
import sys

from samcli.yamlhelper import yaml_parse
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

answers = []
for asked in json.load(sys.stdin):
    template = yaml_parse(asked["template"])
    # Packaging sets the URL of the archive, and the transform accepts no other value.
    template["Resources"]["TokenFunction"]["Properties"]["CodeUri"] = "s3://bucket/archive"
    # The map of managed policies is empty, so a template that names one is rejected.
    translator = Translator(managed_policy_map={}, sam_parser=Parser())
    transformed = translator.translate(sam_template=template, parameter_values=dict(asked["parameters"]))
    answers.append({"source": yaml_parse(asked["template"]), "transformed": transformed})
json.dump(answers, sys.stdout)
