#!/usr/bin/env python3
"""The application of the demo: a web server that says where it runs."""

import http.server
import socket

PORT = 8080


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"{socket.gethostname()}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("", PORT), Answer).serve_forever()
