"""What SAM makes of templates when they are deployed, without AWS.

Standard input: JSON, a list of {"template": text, "parameters": {name: value}}. Standard output: JSON, a list of
{"source": the template as it is written, "transformed": what CloudFormation gets}, functions in their long form.
"""

import json
import sys

from samcli.yamlhelper import yaml_parse
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

answers = []
for asked in json.load(sys.stdin):
    template = yaml_parse(asked["template"])
    # Packaging puts the address of the archive here, and the transform takes nothing else.
    template["Resources"]["TokenFunction"]["Properties"]["CodeUri"] = "s3://bucket/archive"
    # No managed policies are known, so a template that takes one by its name does not pass.
    translator = Translator(managed_policy_map={}, sam_parser=Parser())
    transformed = translator.translate(sam_template=template, parameter_values=dict(asked["parameters"]))
    answers.append({"source": yaml_parse(asked["template"]), "transformed": transformed})
json.dump(answers, sys.stdout)
