/* SPDX-License-Identifier: BSD-2-Clause */
#include "lua/client.h"

#include "base/log.h"
#include "base/mem.h"
#include "http/writer.h"
#include "lua/body.h"
#include "lua/ngx_log.h"
#include "lua/vm.h"
#include "lua/worker.h"

#include <assert.h>
#include <errno.h>
#include <lauxlib.h>
#include <time.h>

enum { CLOSE_NORMAL = 1000, CLOSE_FAILED = 1011 };

/* ngx.exit() codes with a meaning of their own. */
enum {
	EXIT_DROP = 444,
	EXIT_GONE = 499,
	EXIT_TIMEOUT = 408,
	EXIT_ERROR = -1,
	EXIT_DECLINED = -5,
};

static void on_done(struct lua_request *r, enum lua_outcome outcome);
static void finish(struct lua_client *c, enum handler_end end);

/* ---- the head ---- */

void lua_client_put_field(struct http_writer *w, const struct http_field *f)
{
	if (f->value.at != f->name.at + f->name.len + 1) {
		http_put_field(w, f->name, f->value);
		return;
	}
	http_put(w, f->name);
	http_put(w, SLICE(":"));
	http_put(w, f->value);
	http_put(w, SLICE("\r\n"));
}

/* As the client's bytes, but for blanks that mean nothing: never longer than these, so what was
 * accepted once is again. */
static uint8_t *copy_head(const struct http_head *h, uint32_t *len)
{
	struct http_writer w;
	uint8_t *copy, buf[HTTP_HEAD_MAX];
	http_writer_init(&w, buf, sizeof buf);
	http_put(&w, h->method);
	http_put(&w, SLICE(" "));
	http_put(&w, h->target);
	http_put(&w, h->minor ? SLICE(" HTTP/1.1\r\n") : SLICE(" HTTP/1.0\r\n"));
	for (size_t i = 0; i < h->n; i++)
		lua_client_put_field(&w, &h->field[i]);
	http_put_end(&w);
	copy = w.overflow ? NULL : mem_try(w.len);
	if (copy)
		memcpy(copy, buf, w.len);
	*len = (uint32_t)w.len;
	return copy;
}

static struct http_head *parse(struct lua_client *c, const uint8_t *bytes, size_t len)
{
	struct http_head *h = &c->vm->worker->head;
	struct http_scan scan = {0};
	ssize_t n = http_parse_request(h, &scan, bytes, len);
	assert(n > 0);
	return h;
}

struct http_head *lua_client_head(struct lua_client *c)
{
	return parse(c, c->head, c->head_len);
}

struct http_head *lua_client_framing(struct lua_client *c)
{
	return c->original ? parse(c, c->original, c->original_len) : lua_client_head(c);
}

void lua_client_set_head(struct lua_client *c, uint8_t *bytes, size_t len)
{
	if (c->original) {
		mem_free(c->head);
	} else {
		c->original = c->head;
		c->original_len = c->head_len;
	}
	c->head = bytes;
	c->head_len = (uint32_t)len;
}

/* ---- life ---- */

static void resume_input(struct lua_input *in)
{
	struct lua_client *c = list_entry(in, struct lua_client, in);
	if (c->session)
		handler_pause(c->session, false);
}

static uint64_t wall_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* NULL: out of memory. */
static struct lua_client *client_new(
        struct session *s, struct lua_vm *vm, const struct http_head *head)
{
	struct lua_client *c = pool_get(&vm->client_pool);
	if (!c)
		return NULL;
	*c = (struct lua_client){.session = s,
	        .vm = vm,
	        .ctx = LUA_NOREF,
	        .vars = LUA_NOREF,
	        .on_abort = LUA_NOREF,
	        .is_http10 = head->minor == 0,
	        .is_head = slice_equal(head->method, SLICE("HEAD")),
	        .start_ms = wall_ms(),
	        .out = {.worker = vm->worker, .session = s, .stream = handler_stream(s)},
	        .in = {.resume = resume_input}};
	c->head = copy_head(head, &c->head_len);
	if (!c->head) {
		pool_put(&vm->client_pool, c);
		return NULL;
	}
	lua_vm_ref(vm);
	handler_keep(s, c);
	return c;
}

static void client_free(struct retired *retired)
{
	struct lua_client *c = list_entry(retired, struct lua_client, retired);
	struct lua_vm *vm = c->vm;
	pool_put(&vm->client_pool, c);
	lua_vm_unref(vm);
}

/* Its memory lasts to the end of the turn. */
static void give_up(struct lua_client *c)
{
	lua_State *L = c->vm->L;
	assert(!c->request);
	handler_keep(c->session, NULL);
	c->session = NULL;
	luaL_unref(L, LUA_REGISTRYINDEX, c->ctx);
	luaL_unref(L, LUA_REGISTRYINDEX, c->vars);
	luaL_unref(L, LUA_REGISTRYINDEX, c->on_abort);
	lua_input_fini(&c->in);
	lua_output_fini(&c->out);
	lua_answer_clear(c);
	lua_body_free(c);
	mem_free(c->head);
	mem_free(c->original);
	mem_free(c->server);
	c->head = c->original = NULL;
	worker_retire(c->vm->worker->worker, &c->retired, client_free);
}

/* The VM of a script, which the caller unrefs; *s is the script. */
static struct lua_vm *vm_for(
        struct session *session, enum handler_phase phase, const struct lua_script **s)
{
	struct lua_worker *lw = lua_worker_of(handler_worker(session));
	*s = (const struct lua_script *)(void *)handler_script(session, phase);
	return lua_worker_vm(lw, (*s)->set);
}

/* The client of a new request, or of the one that the access script has let pass. */
static struct lua_client *client_for(struct session *s, enum handler_phase phase,
        const struct http_head *head, const struct lua_script **script)
{
	struct lua_client *c = handler_kept(s);
	if (c) {
		*script = (const struct lua_script *)(void *)handler_script(s, phase);
		return c;
	}
	struct lua_vm *vm = vm_for(s, phase, script);
	c = vm ? client_new(s, vm, head) : NULL;
	lua_vm_unref(vm);
	return c;
}

static bool start(struct session *s, enum handler_phase phase, struct http_head *head)
{
	const struct lua_script *script;
	const struct handler_settings *set = handler_settings(s);
	if (head->framing == HTTP_BODY_LENGTH && set->body_max &&
	        head->content_length > set->body_max) {
		handler_refuse(s, 413, "the body is over client_max_body_size");
		return true;
	}
	struct lua_client *c = client_for(s, phase, head, &script);
	struct lua_request *r =
	        c ? lua_request_new(
	                    c->vm, phase == HANDLER_ACCESS ? LUA_PHASE_ACCESS : LUA_PHASE_CONTENT)
	          : NULL;
	if (!r)
		return false;
	c->out.stream = handler_stream(s);
	c->may_keep_alive = handler_may_keep_alive(s, head);
	c->request = r;
	r->client = c;
	r->owner = c;
	lua_input_set_max(&c->in, set->buffer_size);
	r->settings = set;
	r->done = on_done;
	r->ctx = c->ctx;
	c->ctx = LUA_NOREF;
	counter_inc(&c->vm->worker->counters.lua_requests);
	lua_request_start(r, script);
	return true;
}

static void remember(struct session *s, const struct http_head *head)
{
	const struct lua_script *script;
	client_for(s, HANDLER_LOG, head, &script);
}

/* ---- what comes from the client ---- */

/* There was no memory for what came: all is lost. In the midst of Lua, which has asked for bytes,
 * it finds out when it reads. */
static void run_out(struct lua_client *c)
{
	c->is_failed = true;
	if (c->vm->worker->is_running)
		lua_input_end(&c->in, ENOMEM);
	else
		lua_request_end(c->request, LUA_FAILED);
}

static size_t on_bytes(struct session *s, uint8_t *buf, size_t len)
{
	struct lua_client *c = handler_kept(s);
	handler_received(s, len);
	c->unread = 0;
	if (!lua_input_serve(&c->in, buf, len)) {
		if (c->session && c->request)
			run_out(c);
		return len;
	}
	if (c->session && c->request && !c->in.reader && lua_input_is_over(&c->in)) {
		c->in.is_paused = true;
		handler_pause(s, true);
	}
	return len - c->unread;
}

static void call_on_abort(struct lua_client *c)
{
	lua_State *L = c->vm->L;
	if (c->on_abort == LUA_NOREF || !c->request)
		return;
	struct lua_thread *t = lua_thread_new(c->request, LUA_LIGHT);
	if (!t)
		return;
	lua_rawgeti(t->wait.L, LUA_REGISTRYINDEX, c->on_abort);
	luaL_unref(L, LUA_REGISTRYINDEX, c->on_abort);
	c->on_abort = LUA_NOREF;
	lua_thread_start(t, 0);
}

static void on_end(struct session *s, enum stream_end end, int error)
{
	struct lua_client *c = handler_kept(s);
	if (end == STREAM_ERROR)
		lua_output_on_end(&c->out, error);
	if (c->session && c->request)
		lua_input_end(&c->in, end == STREAM_ERROR ? error : 0);
	if (c->session && c->request)
		call_on_abort(c);
}

static void on_drain(struct session *s)
{
	struct lua_client *c = handler_kept(s);
	lua_output_on_drain(&c->out);
}

static void stop(struct session *s, uint16_t code, const char *reason)
{
	struct lua_client *c = handler_kept(s);
	c->stop_code = code;
	c->may_keep_alive = false;
	lua_client_send_close(c, code, reason);
	lua_output_flush(&c->out);
}

static void cancel(struct session *s)
{
	struct lua_client *c = handler_kept(s);
	lua_output_fini(&c->out);
	if (c->request)
		lua_request_cancel(c->request);
}

/* ---- how a script has ended ---- */

/* The connection is done with the request. What was given and not used is the next one's. */
static void finish(struct lua_client *c, enum handler_end end)
{
	struct session *s = c->session;
	struct slice unread = SLICE("");
	struct http_head *skip = NULL;
	uint8_t *at;
	size_t len;
	lua_output_flush(&c->out);
	lua_body_release(c);
	handler_pause(s, false);
	c->in.is_paused = false;
	if (end == HANDLER_KEEP_ALIVE && !c->has_body_begun) {
		skip = lua_client_framing(c);
		if (!handler_may_skip(skip))
			end = HANDLER_CLOSE;
		if (skip->framing == HTTP_BODY_NONE)
			skip = NULL;
	} else if (end == HANDLER_KEEP_ALIVE && !c->is_body_done) {
		end = HANDLER_CLOSE;
	}
	if (c->in.end == c->in.start) {
		c->unread = (uint32_t)c->in.fresh_len;
	} else if (lua_input_view(&c->in, &at, &len)) {
		unread = slice_of(at, len);
	} else {
		end = HANDLER_CLOSE;
	}
	c->in.fresh_len = 0;
	handler_finish(s, end, unread, skip);
}

enum {
	STATUS_MIN = 200,
	STATUS_OK_MAX = 299,
	STATUS_NO_CONTENT = 204,
	STATUS_MAX = 999,
	STATUS_FAILED = 500
};

/* ngx.exit() of a good status only ends the request, whose status is ngx.status if that was set. */
static bool is_plain_end(const struct lua_client *c, int status)
{
	return status >= STATUS_MIN && status <= STATUS_OK_MAX && status != STATUS_NO_CONTENT &&
	       c->status;
}

static void answer_status(struct lua_client *c, int status)
{
	if (status == EXIT_DROP || status == EXIT_GONE || status == EXIT_TIMEOUT ||
	        status == EXIT_ERROR ||
	        (c->answer_state == LUA_ANSWER_NONE && status != 0 && status < STATUS_MIN)) {
		finish(c, HANDLER_DROP);
		return;
	}
	if (c->answer_state == LUA_ANSWER_NONE && status >= STATUS_MIN && !is_plain_end(c, status))
		lua_client_send_page(c, status > STATUS_MAX ? STATUS_FAILED : (unsigned)status);
	else
		lua_client_send_end(c);
	finish(c, c->is_failed        ? HANDLER_RESET
	          : c->may_keep_alive ? HANDLER_KEEP_ALIVE
	                              : HANDLER_CLOSE);
}

static void end_upgraded(struct lua_client *c, enum lua_outcome outcome, int status)
{
	bool is_strict = handler_settings(c->session)->is_strict;
	if (outcome == LUA_EXITED && (status == EXIT_DROP || status == EXIT_GONE)) {
		finish(c, HANDLER_DROP);
		return;
	}
	uint16_t code = c->fault_code ? c->fault_code : CLOSE_NORMAL;
	if (!is_strict)
		lua_client_send_close(c, outcome == LUA_FAILED ? CLOSE_FAILED : code, "");
	finish(c, c->is_mid_frame ? HANDLER_RESET : HANDLER_CLOSE);
}

static void end_content(struct lua_client *c, enum lua_outcome outcome, int status)
{
	if (c->is_upgraded || c->is_raw)
		end_upgraded(c, outcome, status);
	else if (outcome != LUA_FAILED)
		answer_status(c, outcome == LUA_EXITED ? status : 0);
	else if (c->answer_state == LUA_ANSWER_NONE)
		answer_status(c, 500);
	else
		finish(c, HANDLER_RESET);
}

/* Nothing was decided: the request goes on. */
static void pass(struct lua_client *c)
{
	struct session *s = c->session;
	struct upstream_group *group = c->group;
	char *server = c->server;
	struct http_head *head = lua_client_head(c);
	c->server = NULL;
	if (c->has_body_begun && !handler_script(s, HANDLER_CONTENT)) {
		lua_log_text(LOG_LEVEL_ERROR, NULL, s,
		        SLICE("access has read the request's body, which no handler gets now"));
		mem_free(server);
		answer_status(c, 500);
		return;
	}
	uint8_t *bytes = c->head, *original = c->original;
	if (!handler_script(s, HANDLER_CONTENT) && !handler_script(s, HANDLER_LOG)) {
		c->head = c->original = NULL; /* the head still lies there */
		give_up(c);
		handler_pass(s, head, group, server ? slice_str(server) : SLICE(""));
		mem_free(bytes);
		mem_free(original);
	} else {
		handler_pass(s, head, group, server ? slice_str(server) : SLICE(""));
	}
	mem_free(server);
}

static void end_access(struct lua_client *c, enum lua_outcome outcome, int status)
{
	bool is_plain = outcome == LUA_RETURNED ||
	                (outcome == LUA_EXITED && (status == 0 || status == EXIT_DECLINED));
	if (outcome == LUA_FAILED && c->answer_state == LUA_ANSWER_NONE)
		answer_status(c, 500);
	else if (outcome == LUA_FAILED)
		finish(c, HANDLER_RESET);
	else if (is_plain && c->answer_state == LUA_ANSWER_NONE)
		pass(c);
	else
		answer_status(c, outcome == LUA_EXITED ? status : 0);
}

static void on_done(struct lua_request *r, enum lua_outcome outcome)
{
	struct lua_client *c = r->owner;
	int status = r->exit_status;
	bool is_access = r->phase == LUA_PHASE_ACCESS;
	c->request = NULL;
	c->ctx = r->ctx;
	r->ctx = LUA_NOREF;
	lua_request_free(r);
	if (outcome == LUA_CANCELLED)
		return;
	if (is_access)
		end_access(c, outcome, status);
	else
		end_content(c, outcome, status);
}

/* ---- the last word ---- */

static void on_logged(struct lua_request *r, enum lua_outcome outcome)
{
	struct lua_client *c = r->owner;
	(void)outcome;
	c->request = NULL;
	lua_request_free(r);
}

static void run_log(struct session *s, struct lua_client *c)
{
	const struct lua_script *script =
	        (const struct lua_script *)(void *)handler_script(s, HANDLER_LOG);
	struct lua_request *r = script ? lua_request_new(c->vm, LUA_PHASE_LOG) : NULL;
	if (!r)
		return;
	c->request = r;
	r->client = c;
	r->owner = c;
	r->settings = handler_settings(s);
	r->done = on_logged;
	r->ctx = c->ctx;
	c->ctx = LUA_NOREF;
	lua_request_run(r, script);
}

static void say_last(struct session *s)
{
	struct lua_client *c = handler_kept(s);
	run_log(s, c);
	give_up(c);
}

const struct handler_ops lua_handler_ops = {
        .start = start,
        .remember = remember,
        .on_bytes = on_bytes,
        .on_end = on_end,
        .on_drain = on_drain,
        .stop = stop,
        .cancel = cancel,
        .log = say_last,
};
