# SPDX-License-Identifier: BSD-2-Clause
"""What the servers of the benchmark are told: their configurations and scripts, with {values} to fill in."""

# What all of Moongate's begin with, and the route that most have.
MOONGATE_HEAD = """\
[moongate]
workers = {workers}
log = {folder}/{name}.log
log_level = error
"""

MOONGATE_LISTENER = """
[listener bench]
bind = 127.0.0.1:{port}
"""

MOONGATE_ROUTE = """
[route bench]
path = /*
"""

MOONGATE = MOONGATE_HEAD + MOONGATE_LISTENER + """\
{tls}
[upstream bench]
server = ws://127.0.0.1:{upstream}
""" + MOONGATE_ROUTE + """\
upstream = bench
"""

SECURE = """\
tls_certificate = {folder}/bench.pem
tls_key = {folder}/bench.key
"""

# The same with connections to the upstream that are made before a session needs them.
SPARES = MOONGATE.replace("{upstream}\n", "{upstream}\nspare = 64\n")

# Both to an upstream that speaks TLS, and an upstream that does or does not: Moongate's own echo.
WSS = MOONGATE.replace("ws://", "wss://").replace(
    "{upstream}\n", "{upstream}\ntls_ca = {folder}/bench.pem\ntls_server_name = localhost\n")
WSS_SPARES = WSS.replace("[route", "spare = 64\n\n[route")
HALL = MOONGATE.replace("[upstream bench]\nserver = ws://127.0.0.1:{upstream}\n", "").replace(
    "upstream = bench", "echo = on")

# The same with an access log.
ACCESS = MOONGATE.replace("log_level", "access_log = {folder}/{name}.access\nlog_level")

# The same with time for heads that come slowly.
PATIENT = MOONGATE.replace("{port}\n", "{port}\nhandshake_timeout = 5m\n")

# The same with what stands between clients and applications in earnest: rules for headers, a list
# of origins, limits, and four servers.
POLICIES = MOONGATE_HEAD + MOONGATE_LISTENER + """\
max_connections = 1000000
max_connections_per_address = 1000000

[upstream bench]
server = ws://127.0.0.1:{upstream}
server = ws://127.0.0.2:{upstream}
server = ws://127.0.0.3:{upstream}
server = ws://127.0.0.4:{upstream}
balance = least_connections
""" + MOONGATE_ROUTE + """\
upstream = bench
request_set = X-Client: ${{remote_addr}}
request_remove = Cookie
response_set = Server: bench
origin = same-host
origin = https://*.example.com
origin = https://bench.example.org
max_connections = 1000000
max_connections_per_address = 1000000
handshake_rate = 1000000/s
handshake_rate_per_address = 1000000/s
"""

# Both sides of the Lua rows run this. What it may receive is what the largest row sends.
LUA_ECHO = """\
local server = require "resty.websocket.server"
local wb = assert(server:new { max_payload_len = 2097152, timeout = 3600000 })
while true do
    local data, typ = wb:recv_frame()
    if typ == "binary" then
        wb:send_binary(data)
    elseif typ == "text" then
        wb:send_text(data)
    elseif typ == "close" or not data then
        return wb:send_close(1000)
    end
end
"""

# A proxy, frame by frame, to the upstream that the configuration names by its port.
LUA_PROXY = """\
local server, client = require "resty.websocket.server", require "resty.websocket.client"
local down = assert(server:new { max_payload_len = 2097152, timeout = 3600000 })
local up = assert(client:new { max_payload_len = 2097152, timeout = 3600000 })
assert(up:connect("ws://127.0.0.1:%s/"))
local function pump(from, to)
    while true do
        local data, typ = from:recv_frame()
        if typ == "binary" then
            to:send_binary(data)
        elseif typ == "text" then
            to:send_text(data)
        else
            return to:send_close(1000)
        end
    end
end
local back = ngx.thread.spawn(pump, up, down)
pump(down, up)
ngx.thread.wait(back)
"""

MOONGATE_LUA = MOONGATE_HEAD + """\
allow_root_handlers = yes
""" + MOONGATE_LISTENER + MOONGATE_ROUTE + """\
handler = {folder}/{script}.lua
"""

NGINX_HEAD = """\
daemon off;
worker_processes {workers};
worker_rlimit_nofile {descriptors};
pid {folder}/{name}.pid;
error_log {folder}/{name}.log error;
events {{
    worker_connections {descriptors};
    accept_mutex off;
}}
http {{
    access_log off;
    tcp_nodelay on;
    client_body_temp_path {folder}/{name}.body;
    proxy_temp_path {folder}/{name}.proxy;
    fastcgi_temp_path {folder}/{name}.fastcgi;
    uwsgi_temp_path {folder}/{name}.uwsgi;
    scgi_temp_path {folder}/{name}.scgi;
"""

NGINX_LUA = """\
load_module {modules}/ndk_http_module.so;
load_module {modules}/ngx_http_lua_module.so;
""" + NGINX_HEAD.replace("log error", "log crit") + """\
    lua_socket_log_errors off;
    init_by_lua_block {{
        for _, name in ipairs {{ "server", "client", "protocol" }} do
            package.preload["resty.websocket." .. name] = function ()
                return require("nginx.websocket." .. name)
            end
        end
    }}
    server {{
        listen 127.0.0.1:{port} backlog=4096{reuseport};
        location / {{
            content_by_lua_file {folder}/{script}.lua;
        }}
    }}
}}
"""

NGINX = NGINX_HEAD + """\
    server {{
        listen 127.0.0.1:{port} backlog=4096{reuseport}{ssl};
        {tls}
        location / {{
            proxy_pass http://127.0.0.1:{upstream};
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection upgrade;
            proxy_set_header Host $host;
            proxy_buffer_size {buffer}k;
            proxy_buffers 4 {buffer}k;
            proxy_busy_buffers_size {busy}k;
            proxy_read_timeout 1h;
            proxy_send_timeout 1h;
            proxy_socket_keepalive on;
        }}
    }}
}}
"""

HAPROXY = """\
global
    nbthread {workers}
    maxconn {sessions}
    tune.bufsize {bytes}
defaults
    mode http
    maxconn {sessions}
    timeout connect 5s
    timeout client 1h
    timeout server 1h
    timeout tunnel 1h
frontend bench
    bind 127.0.0.1:{port} backlog 4096{tls}
    default_backend bench
backend bench
    server bench 127.0.0.1:{upstream}
"""

# What each wants to speak TLS: what stands in for {tls}, and more values.
NGINX_TLS = ("ssl_certificate {folder}/bench.pem; ssl_certificate_key {folder}/bench.key; "
             "ssl_protocols TLSv1.2 TLSv1.3;")
HAPROXY_TLS = " ssl crt {folder}/bench.both"
