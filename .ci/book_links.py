"""A preprocessor of mdBook: makes links to files outside the book lead to the repository's pages.

`](../policy.toml)` in docs/ becomes a link to `policy.toml` at the repository's address, which Cargo.toml names.
"""

import json
import re
import sys
import tomllib

with open("Cargo.toml", "rb") as manifest:
    HOME = tomllib.load(manifest)["package"]["repository"]


def rewrite(items):
    for item in items:
        if chapter := item.get("Chapter") if isinstance(item, dict) else None:
            text = re.sub(r"(\]\(|\]: )\.\./", rf"\1{HOME}/blob/main/", chapter["content"])
            # The list of pages is the sidebar of the book.
            chapter["content"] = text.replace("](SUMMARY.md)", "](toc.html)")
            rewrite(chapter["sub_items"])


if sys.argv[1:2] == ["supports"]:
    sys.exit(0 if sys.argv[2:] == ["html"] else 1)
_, book = json.load(sys.stdin)
rewrite(book["items"] if "items" in book else book["sections"])
json.dump(book, sys.stdout)
