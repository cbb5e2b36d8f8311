#!/usr/bin/env python3
"""A Hugging Face hub on this machine, for the real hf: as much of its interface as a
download needs. Standard library only.

    hub.py PORT FOLDER           says on which port it listens; 0 takes any that is free

FOLDER/OWNER/NAME has the files of a repository, and the file FOLDER/OWNER/NAME.commit its
one revision. HF_ENDPOINT=http://127.0.0.1:PORT is where hf finds it. A repository with a
file FOLDER/OWNER/NAME.gate is shown only to those with the token in it. When the file
FOLDER/cut is there, it is removed, and the next large file is cut off in the middle.
"""
import hashlib
import json
import os
import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT, FOLDER = int(sys.argv[1]), os.path.abspath(sys.argv[2])
LARGE = 10_000


class Hub(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, form, *words):
        print(form % words, flush=True)

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def refuse(self, status, code, message):
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("X-Error-Message", message)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def answer(self, body):
        api = re.fullmatch(r"/api/models/([^/]+/[^/]+)/(?:revision|tree)/([^/?]+)(?:\?.*)?", self.path)
        file = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/([^?]+)(?:\?.*)?", self.path)
        if not (api or file):
            return self.refuse(404, "EntryNotFound", "no such page")
        name, revision = (api or file).group(1, 2)
        root = os.path.join(FOLDER, name)
        if not os.path.isdir(root):
            return self.refuse(404, "RepoNotFound", "Repository not found")
        gate = root + ".gate"
        if os.path.exists(gate) and self.headers.get("Authorization") != "Bearer " + open(gate).read().strip():
            return self.refuse(401, "GatedRepo", f"Access to model {name} is restricted")
        commit = open(root + ".commit").read().strip()
        if revision != commit:
            return self.refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        if api:
            return self.send_list(name, root, commit)
        self.send_file(os.path.join(root, file.group(3)), commit, body)

    def send_list(self, name, root, commit):
        files = sorted(
            os.path.relpath(os.path.join(folder, file), root) for folder, _, names in os.walk(root) for file in names
        )
        siblings = [{"rfilename": file} for file in files]
        if "/tree/" in self.path:
            entries = [
                {"type": "file", "path": file, "size": os.path.getsize(os.path.join(root, file)), "oid": etag(os.path.join(root, file))}
                for file in files
            ]
            text = json.dumps(entries).encode()
        else:
            text = json.dumps({"id": name, "modelId": name, "sha": commit, "siblings": siblings, "private": False, "tags": []}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def send_file(self, path, commit, body):
        if not os.path.isfile(path):
            return self.refuse(404, "EntryNotFound", "Entry not found")
        data = open(path, "rb").read()
        start = 0
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if asked:
            start = int(asked.group(1))
        self.send_response(206 if asked else 200)
        self.send_header("X-Repo-Commit", commit)
        self.send_header("ETag", f'"{etag(path)}"')
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(data) - start))
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        if not body:
            return
        cut = os.path.join(FOLDER, "cut")
        if len(data) > LARGE and os.path.exists(cut):
            os.remove(cut)
            self.wfile.write(data[start : start + (len(data) - start) // 2])
            self.wfile.flush()
            self.close_connection = True
            return
        self.wfile.write(data[start:])


def etag(path):
    return hashlib.sha1(open(path, "rb").read()).hexdigest()


server = ThreadingHTTPServer(("127.0.0.1", PORT), Hub)
print(f"hub on {server.server_port}", flush=True)
server.serve_forever()
