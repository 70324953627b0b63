/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A handler between simulated streams: that of its client, and those that it connects to. For unit
 * tests and fuzzers, which decide what arrives, in which pieces, and what is taken. The script
 * finds note(...), which writes values down so that two runs can be compared, and option(n). */

#include "base/log.h"
#include "base/mem.h"
#include "lua/handlers.h"
#include "lua/ngx_socket_tcp.h"
#include "lua/vm.h"
#include "lua/worker.h"
#include "net/sim.h"
#include "net/tls_client.h"
#include "net/worker.h"
#include "proxy/proxy.h"
#include "proxy/session.h"
#include "upstream/dial.h"
#include "ws/header.h"
#include "ws/mask.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef SIM_PEERS_MAX
#define SIM_PEERS_MAX 4
#endif
enum { SIM_PEERS = SIM_PEERS_MAX, SIM_NOTED = 1 << 20, SIM_OPTIONS = 32 };

#ifndef SIM_LOG_LEVEL
#define SIM_LOG_LEVEL LOG_LEVEL_ERROR
#endif

#define SIM_CHECK(what)          \
	do {                     \
		if (!(what))     \
			abort(); \
	} while (0)

static struct {
	struct worker *worker;
	struct proxy *proxy;
	struct lua_worker *lw;
	struct route *route;
	struct route_table *table;
	struct tls_client *tls;
	struct stream *client, *peer[SIM_PEERS];
	unsigned peers;
	int option[SIM_OPTIONS];
	char *noted;
	size_t noted_len;
	bool is_open; /* between sim_begin() and sim_end() */
} sim;

static struct proxy_listener sim_listener = {.name = (char[]){"sim"},
        .refs = 1,
        .handshake_timeout_ms = 10000,
        .keepalive_timeout_ms = 60000};

static inline struct stream *sim_connect(
        struct worker *w, const struct address *to, const struct socket_options *o)
{
	(void)to, (void)o;
	if (sim.peers == SIM_PEERS)
		return NULL;
	return sim.peer[sim.peers++] = sim_new(w);
}

/* ---- what scripts find ---- */

static inline void sim_note(const void *bytes, size_t len)
{
	SIM_CHECK(sim.noted_len + len < SIM_NOTED);
	memcpy(sim.noted + sim.noted_len, bytes, len);
	sim.noted_len += len;
	sim.noted[sim.noted_len] = '\0';
}

static inline int sim_l_note(lua_State *L)
{
	for (int i = 1; i <= lua_gettop(L); i++) {
		size_t len = 0;
		const char *text = lua_isboolean(L, i) ? lua_toboolean(L, i) ? "true" : "false"
		                   : lua_isnil(L, i)   ? "nil"
		                                       : lua_tolstring(L, i, &len);
		sim_note(text ? text : "?",
		        len > 0 || !text || lua_isstring(L, i) ? len : strlen(text));
		sim_note("|", 1);
	}
	sim_note("\n", 1);
	return 0;
}

static inline int sim_l_option(lua_State *L)
{
	lua_Integer i = luaL_checkinteger(L, 1);
	lua_pushinteger(L, i >= 0 && i < SIM_OPTIONS ? sim.option[i] : 0);
	return 1;
}

static inline void sim_set_global(const char *name, lua_CFunction f)
{
	lua_State *L = sim.lw->vm->L;
	lua_pushstring(L, name);
	lua_pushcfunction(L, f);
	lua_rawset(L, LUA_GLOBALSINDEX);
}

/* ---- life ---- */

static inline struct script *sim_script(struct lua_handlers *set, const char *text)
{
	char path[64], why[LUA_WHY_MAX];
	int fd = memfd_create("script", 0);
	SIM_CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	struct lua_script *s = lua_handlers_add(set, LUA_SCRIPT_HANDLER, path, why);
	close(fd);
	if (!s)
		fprintf(stderr, "%s\n", why);
	SIM_CHECK(s);
	return lua_script_ref(s);
}

/* memory_max: of the VM; 0 = any. */
static inline void sim_start(const char *script, uint64_t memory_max)
{
	char why[LUA_WHY_MAX];
	log_open("stderr", SIM_LOG_LEVEL);
	sim.worker = worker_new(0);
	worker_set_time(sim.worker, sim.worker->now_ms + 1);
	sim.proxy = proxy_new(sim.worker);
	sim.lw = lua_worker_new(sim.worker, 1);
	struct upstream_worker *u = sim.worker->layer[WORKER_UPSTREAM];
	u->connect = sim_connect;
	struct tls_client_settings tls = {.tls = {.min_version = TLS_FLOOR_1_2,
	                                          .ciphers = TLS_CIPHERS,
	                                          .ciphersuites = TLS_CIPHERSUITES,
	                                          .groups = TLS_GROUPS},
	        .is_mute = true};
	char tls_why[TLS_WHY_MAX];
	sim.tls = tls_client_new(&tls, tls_why);
	SIM_CHECK(sim.tls);
	struct lua_settings own = {.max_pending_timers = 10,
	        .max_running_timers = 10,
	        .re = {.cache_max = 1024},
	        .memory_max = memory_max,
	        .is_cached = true,
	        .handlers = {.tls = tls_client_ref(sim.tls)}};
	struct lua_handlers *set = lua_handlers_new(&own);
	sim.route = route_new("sim");
	sim.route->path = mem_strdup("");
	sim.route->prefix = true;
	sim.route->action = ROUTE_HANDLER;
	sim.route->handler = sim_script(set, script);
	sim.route->settings = (struct route_settings){.close_timeout_ms = 5000,
	        .send_timeout_ms = 30000,
	        .max_queue = 64 * 1024,
	        .handler = {.connect_timeout_ms = 60000,
	                .send_timeout_ms = 60000,
	                .read_timeout_ms = 60000,
	                .keepalive_timeout_ms = 60000,
	                .tls = sim.tls,
	                .pool_size = 5,
	                .body_max = 64 * 1024,
	                .body_timeout_ms = 60000}};
	sim.table = route_table_new(&sim.route, 1);
	proxy_set_routes(sim.proxy, sim.table);
	if (!lua_worker_use(sim.lw, set, why))
		fprintf(stderr, "%s\n", why);
	SIM_CHECK(sim.lw->vm);
	lua_handlers_unref(set);
	sim_set_global("note", sim_l_note);
	sim_set_global("option", sim_l_option);
	sim.noted = mem_new(SIM_NOTED);
}

/* A client has connected. */
static inline void sim_begin(void)
{
	struct address peer;
	sim.noted_len = 0;
	sim.noted[0] = '\0';
	sim.peers = 0;
	sim.is_open = true;
	sim.client = sim_new(sim.worker);
	SIM_CHECK(address_parse(&peer, "127.0.0.1:2"));
	SIM_CHECK(proxy_adopt(sim.proxy, sim.client, &peer, &sim_listener));
}

static inline void sim_turn(void)
{
	worker_turn(sim.worker, 0);
}

static inline void sim_pass(uint64_t ms)
{
	worker_set_time(sim.worker, sim.worker->now_ms + ms);
	sim_turn();
	sim_turn();
}

/* False: the stream is gone, or paused. */
static inline bool sim_send(struct stream *s, const void *bytes, size_t len)
{
	return !sim_is_released(s, NULL) && sim_push(s, bytes, len);
}

static inline void sim_finish(struct stream *s)
{
	if (!sim_is_released(s, NULL))
		sim_push_eof(s);
}

/* Everything is over, and nothing is left. */
static inline void sim_end(void)
{
	proxy_abort(sim.proxy);
	sim.proxy->drain.on = false;
	timer_clear(&sim.worker->wheel, &sim.proxy->drain.timer);
	lua_linger_end(sim.lw);
	sim_turn();
	SIM_CHECK(proxy_session_count(sim.proxy) == 0 && sim.proxy->session_pool.used == 0);
	SIM_CHECK(list_is_empty(&sim.lw->ready) && !sim.lw->out.owner);
	SIM_CHECK(list_is_empty(&sim.lw->vm->requests) && sim.lw->vm->thread_pool.used == 0);
	SIM_CHECK(sim.lw->vm->client_pool.used == 0 && sim.worker->chunks.used == 0);
	for (unsigned i = 0; i < sim.peers; i++)
		sim_free(sim.peer[i]);
	sim_free(sim.client);
	sim.is_open = false;
}

static inline void sim_stop(void)
{
	if (sim.is_open) /* a test has failed in the midst of it */
		return;
	lua_worker_end(sim.lw);
	worker_free_retired(sim.worker);
	route_table_unref(sim.table);
	route_unref(sim.route);
	lua_worker_free(sim.lw);
	proxy_free(sim.proxy);
	worker_free(sim.worker);
	mem_free(sim.noted);
}

/* ---- frames ---- */

static const char sim_upgrade[] = "GET /x HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
                                  "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                  "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";

/* What a stream has sent behind its head, each frame without its mask, into out. */
static inline size_t sim_frames(const struct stream *s, uint8_t *out)
{
	struct slice got = sim_sent(s);
	const uint8_t *end = got.len > 0 ? memmem(got.at, got.len, "\r\n\r\n", 4) : NULL;
	size_t head = end ? (size_t)(end - got.at) + 4 : 0, n = 0;
	struct ws_frame f;
	if (!end)
		return 0;
	got = slice_of(got.at + head, got.len - head);
	for (ssize_t used; got.len > 0 && (used = ws_frame_parse(&f, got.at, got.len)) > 0 &&
	                   got.len - (size_t)used >= f.len;) {
		memcpy(out + n, got.at, 2);
		memcpy(out + n + 2, got.at + used, f.len);
		if (f.masked)
			ws_mask(out + n + 2, f.len, f.key, 0);
		n += 2 + f.len;
		got = slice_of(got.at + used + f.len, got.len - (size_t)used - f.len);
	}
	return n;
}
