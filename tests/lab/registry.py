#!/usr/bin/env python3
"""A container registry with the lab's images, as far as podman pull asks it.

registry.py add DIR NAME:TAG IMAGE.sqsh   takes an image in, unless it is there
registry.py serve PORT DIR                prints "registry on PORT", then a line for each request

Who pulls must log in as $oauthtoken with the key in LAB_NGC_ACCEPTS, which gets a token, as at
nvcr.io. What is no pull as the OCI distribution specification has it is refused. Images have one layer,
the variables of their /etc/environment, and an entry point that fails.
"""
import base64, hashlib, http.server, json, os, re, subprocess, sys, tempfile, zlib

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
TOKEN = "a-token-of-the-lab"

# Names, tags and digests of the OCI distribution specification, "Pulling manifests".
PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
DIGEST = r"sha256:[0-9a-f]{64}"
PULL = re.compile(
    rf"/v2/(?P<name>{PART}(?:/{PART})*)/"
    rf"(?:manifests/(?P<reference>[A-Za-z0-9_][A-Za-z0-9._-]{{0,127}}|{DIGEST})|blobs/(?P<blob>{DIGEST}))"
)


def store(folder, data):
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    with open(os.path.join(folder, digest), "wb") as file:
        file.write(data)
    return {"size": len(data), "digest": digest}


def layer_of(folder, squashfs):
    """The image's tree as a compressed tar file named by its digest, the digest of the tar file
    itself, and the tree's variables."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        subprocess.run(["mount", "-t", "squashfs", "-o", "loop,ro", squashfs, place], check=True)
        try:
            environment = os.path.join(place, "etc/environment")
            variables = open(environment).read().split("\n") if os.path.exists(environment) else []
            part = os.path.join(folder, "part")
            digest, content, size = hashlib.sha256(), hashlib.sha256(), 0
            gzip = zlib.compressobj(level=1, wbits=31)
            tar = subprocess.Popen(["tar", "-C", place, "-c", "."], stdout=subprocess.PIPE)
            with open(part, "wb") as file:
                read = None
                while read != b"":
                    read = tar.stdout.read(1 << 20)
                    content.update(read)
                    data = gzip.compress(read) if read else gzip.flush()
                    digest.update(data)
                    size += file.write(data)
            assert tar.wait() == 0
        finally:
            subprocess.run(["umount", place], check=True)
    digest = "sha256:" + digest.hexdigest()
    os.rename(part, os.path.join(folder, digest))
    layer = {"mediaType": LAYER, "size": size, "digest": digest}
    return layer, "sha256:" + content.hexdigest(), [v for v in variables if v]


def add(folder, name, squashfs):
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, name.replace("/", "+"))
    stamp = os.stat(squashfs).st_mtime
    if os.path.exists(path) and os.stat(path).st_mtime > stamp:
        return
    layer, content, variables = layer_of(folder, squashfs)
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Env": variables, "Entrypoint": ["/bin/false"], "WorkingDir": "/opt"},
        "rootfs": {"type": "layers", "diff_ids": [content]},
    }
    config = {"mediaType": CONFIG, **store(folder, json.dumps(config).encode())}
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}
    data = json.dumps(manifest).encode()
    store(folder, data)
    with open(path, "wb") as file:
        file.write(data)


class Registry(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, code, data=b"", **headers):
        self.send_response(code)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def error(self, code, name):
        self.answer(code, json.dumps({"errors": [{"code": name, "message": name.lower().replace("_", " ")}]}).encode())

    def do_GET(self):
        host = self.headers["Host"]
        if self.path.startswith("/proxy_auth?"):
            # Where a login becomes a token, as at nvcr.io.
            login = base64.b64encode(f"$oauthtoken:{os.environ['LAB_NGC_ACCEPTS']}".encode()).decode()
            if self.headers.get("Authorization") != f"Basic {login}":
                return self.error(401, "UNAUTHORIZED")
            return self.answer(200, json.dumps({"token": TOKEN}).encode())
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.answer(401, WWW_Authenticate=f'Bearer realm="http://{host}/proxy_auth",service="lab"')
        if self.path == "/v2/":
            return self.answer(200, Docker_Distribution_Api_Version="registry/2.0")
        asked = PULL.fullmatch(self.path)
        if not asked:
            # It is no pull: not what the specification calls one.
            return self.error(404, "UNSUPPORTED")
        name, reference, blob = asked.group("name", "reference", "blob")
        digest = blob or (reference if ":" in reference else None)
        path = os.path.join(FOLDER, digest or f"{name}:{reference}".replace("/", "+"))
        if not os.path.exists(path):
            return self.error(404, "BLOB_UNKNOWN" if blob else "MANIFEST_UNKNOWN")
        if not blob:
            kinds = [kind.split(";")[0].strip() for kind in ",".join(self.headers.get_all("Accept") or []).split(",")]
            if MANIFEST not in kinds:
                return self.error(404, "MANIFEST_UNKNOWN")
            return self.answer(200, open(path, "rb").read(), Content_Type=MANIFEST)
        self.send_response(200)
        self.send_header("Content-Length", str(os.stat(path).st_size))
        self.send_header("Content-Type", "application/octet-stream")
        self.end_headers()
        if self.command == "HEAD":
            return
        with open(path, "rb") as file:
            while data := file.read(1 << 20):
                self.wfile.write(data)

    do_HEAD = do_GET

    def log_message(self, form, *arguments):
        print(form % arguments, flush=True)


if sys.argv[1] == "add":
    add(*sys.argv[2:])
else:
    FOLDER = sys.argv[3]
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Registry)
    print(f"registry on {server.server_port}", flush=True)
    server.serve_forever()
