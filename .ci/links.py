"""Reports links that lead nowhere, and fails if there are any.

Without arguments: every relative link of the tracked Markdown pages has a file and, behind `#`, a heading. Every page of
docs/ is listed in docs/SUMMARY.md. With a folder as argument: every relative link of the HTML pages in it has a file
and an element of that id.
"""

import html.parser
import pathlib
import re
import subprocess
import sys
import urllib.parse

SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:|//")
faults = []


def heading_ids(text):
    """The ids that GitHub gives to headings, the second of a name with `-1` behind it."""
    seen = {}
    for title in re.findall(r"^#+ (.*?)\s*$", text, re.M):
        title = re.sub(r"\[([^]]*)\](\([^)]*\)|\[[^]]*\])", r"\1", title).lower()
        name = re.sub(r"[^\w\- ]", "", title).replace(" ", "-")
        count = seen.get(name, 0)
        seen[name] = count + 1
        yield f"{name}-{count}" if count else name
    yield from re.findall(r'<a (?:id|name)="([^"]+)"', text)


def without_blocks(text):
    return re.sub(r"^( *)(```+|~~~+).*?^\1\2", "", text, flags=re.M | re.S)


def without_code(text):
    return re.sub(r"`[^`\n]*`", "``", without_blocks(text))


def markdown():
    root = pathlib.Path()
    listed = subprocess.run(["git", "ls-files", "*.md"], check=True, capture_output=True, text=True).stdout.split("\n")
    pages = {pathlib.Path(name): pathlib.Path(name).read_text() for name in listed if name}
    for page, text in pages.items():
        prose = without_code(text)
        links = re.findall(r"\]\(<?([^)\s>]+)>?(?: \"[^\"]*\")?\)", prose) + re.findall(r"^\[[^]]+\]: (\S+)", prose, re.M)
        for link in links:
            if SCHEME.match(link):
                continue
            path, _, fragment = link.partition("#")
            target = (root / page.parent / urllib.parse.unquote(path)).resolve() if path else page.resolve()
            if not target.exists():
                faults.append(f"{page}: {link}: no such file")
            elif fragment and target.suffix == ".md" and fragment not in heading_ids(without_blocks(target.read_text())):
                faults.append(f"{page}: {link}: no such heading")
    summary = pages[pathlib.Path("docs/SUMMARY.md")]
    for page in pages:
        if page.parent.name == "docs" and page.name != "SUMMARY.md" and f"]({page.name})" not in summary:
            faults.append(f"docs/SUMMARY.md: {page.name} is missing")
    return len(pages)


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.links, self.ids = [], set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.ids |= {attrs[name] for name in ("id", "name") if attrs.get(name)}
        self.links += [attrs[name] for name in ("href", "src") if attrs.get(name)]


def built(folder):
    pages = {path.resolve(): Page(path.read_text()) for path in folder.rglob("*.html")}
    for path, page in pages.items():
        if path.name in ("404.html", "print.html"):  # 404 is served at any depth, print holds all pages in one
            continue
        for link in page.links:
            if SCHEME.match(link):
                continue
            target, _, fragment = link.partition("#")
            target = (path.parent / urllib.parse.unquote(target)).resolve() if target else path
            if not target.exists():
                faults.append(f"{path.name}: {link}: no such file")
            elif fragment and target in pages and urllib.parse.unquote(fragment) not in pages[target].ids:
                faults.append(f"{path.name}: {link}: no such element")
    return len(pages)


count = built(pathlib.Path(sys.argv[1])) if sys.argv[1:] else markdown()
print("\n".join(sorted(set(faults)) or [f"{count} pages: every link has a target"]))
sys.exit(1 if faults or not count else 0)
