/* SPDX-License-Identifier: BSD-2-Clause */

/* The methods of the objects of resty.websocket.server and .client, as far as they are Lua: the
 * common case of a frame, which LuaJIT compiles, and all that is done for an object whose `sock` is
 * one of the script's own. The methods of that may yield, so there must be no C function in
 * between. Everything else is resty_object.c's. */

#include "lua/frames_fast.h"
#include "lua/resty.h"
#include "lua/vm.h"
#include "lua/worker.h"

#include <lauxlib.h>

/* Sockets of the script's own: by the protocol module, which is looked into when it is needed. What
 * such an object cannot do, the C function of the same name says. */
static const char foreign_source[] =
        "local methods, additions, helpers, is_client = ...\n"
        "local protocol = require 'resty.websocket.protocol'\n"
        "local type, find, char = type, string.find, string.char\n"
        "local band, rshift = bit.band, bit.rshift\n"
        "local foreign = helpers.foreign\n"
        "local mask_field = is_client and 'send_unmasked' or 'send_masked'\n"
        "\n"
        "local function receiver(receive)\n"
        "    return function (self)\n"
        "        local sock = foreign(self)\n"
        "        if not sock then\n"
        "            return receive(self)\n"
        "        end\n"
        "        local data, typ, err = protocol.recv_frame(sock, self.max_recv_len, not "
        "is_client)\n"
        "        if not data and not (type(err) == 'string' and find(err, ': timeout', 1, true)) "
        "then\n"
        "            self.fatal = true\n"
        "        end\n"
        "        return data, typ, err\n"
        "    end\n"
        "end\n"
        "methods.recv_frame = receiver(methods.recv_frame)\n"
        "additions.recv_message = receiver(additions.recv_message)\n"
        "\n"
        "-- The socket, if anything may be sent by it.\n"
        "local function sendable(self)\n"
        "    local sock = foreign(self)\n"
        "    return sock and not (is_client and self.closed) and sock\n"
        "end\n"
        "\n"
        "local function send_by(self, sock, fin, opcode, payload)\n"
        "    local masked = (self[mask_field] and true or false) ~= is_client\n"
        "    local bytes, err = protocol.send_frame(sock, fin, opcode, payload, "
        "self.max_send_len,\n"
        "        masked)\n"
        "    if not bytes then\n"
        "        self.fatal = true\n"
        "    end\n"
        "    return bytes, err\n"
        "end\n"
        "\n"
        "local function sender(opcode, send)\n"
        "    return function (self, payload)\n"
        "        local sock = sendable(self)\n"
        "        if sock then\n"
        "            return send_by(self, sock, true, opcode, payload)\n"
        "        end\n"
        "        return send(self, payload)\n"
        "    end\n"
        "end\n"
        "local opcodes = { send_continue = 0, send_text = 1, send_binary = 2, send_ping = 9,\n"
        "    send_pong = 10 }\n"
        "for name, opcode in pairs(opcodes) do\n"
        "    methods[name] = methods[name] and sender(opcode, methods[name])\n"
        "end\n"
        "\n"
        "local send_frame, send_close = methods.send_frame, methods.send_close\n"
        "function methods.send_frame(self, fin, opcode, payload)\n"
        "    local sock = sendable(self)\n"
        "    if sock then\n"
        "        return send_by(self, sock, fin, opcode, payload)\n"
        "    end\n"
        "    return send_frame(self, fin, opcode, payload)\n"
        "end\n"
        "\n"
        "function methods.send_close(self, code, reason)\n"
        "    local sock = sendable(self)\n"
        "    if not sock then\n"
        "        return send_close(self, code, reason)\n"
        "    end\n"
        "    local payload = ''\n"
        "    if code then\n"
        "        if type(code) ~= 'number' or code > 0x7fff then\n"
        "            return nil, 'bad status code'\n"
        "        end\n"
        "        payload = char(band(rshift(code, 8), 255), band(code, 255)) .. (reason or '')\n"
        "    end\n"
        "    if is_client then\n"
        "        self.closed = true\n"
        "    end\n"
        "    return send_by(self, sock, true, 8, payload)\n"
        "end\n"
        "\n"
        "function methods.set_timeout(self, ms)\n"
        "    local sock = self.sock\n"
        "    if not sock then\n"
        "        return nil, nil, 'not initialized yet'\n"
        "    end\n"
        "    return sock:settimeout(ms)\n"
        "end\n";

/* What traffic consists of, compiled: a call of a C function would end each trace. Whatever is not
 * common is left to the method as it was before. Until it is compiled, calls by the FFI are calls
 * of C functions, which want 20 slots of the coroutine's stack; so they have few arguments and
 * stand below few locals, that a handler which does little else gets by with the stack it began
 * with. Only for objects that new() made, so fields that are mostly absent are looked for in the
 * object alone, as resty_object.c does it. */
static const char fast_source[] =
        "local methods, helpers, is_client, receive, small, take, put = ...\n"
        "local ffi, bit = require 'ffi', require 'bit'\n"
        "small = ffi.cast('const char *', small)\n"
        "take = ffi.cast('int (*)(void *, double)', take)\n"
        "put = ffi.cast('int (*)(void *, int, const char *, double)', put)\n"
        "local text, type, rshift, band = ffi.string, type, bit.rshift, bit.band\n"
        "local rawget = rawget\n"
        "local types = { [0] = 'continuation', 'text', 'binary' }\n"
        "local mask_field = is_client and 'send_unmasked' or 'send_masked'\n"
        "local await, wait = helpers.await, helpers.wait\n"
        "\n"
        "local receive_other = methods.recv_frame\n"
        "function methods.recv_frame(self)\n"
        "    if type(self) ~= 'table' then\n"
        "        return receive_other(self)\n"
        "    end\n"
        "    local f, sock, max = rawget(self, 1), self.sock, self.max_recv_len\n"
        "    if type(f) ~= 'userdata' or type(sock) ~= 'table' or sock[1] ~= f then\n"
        "        return receive_other(self)\n"
        "    end\n"
        "    if type(max) == 'number' and not rawget(self, 'fatal') then\n"
        "        local n = take(f, max)\n"
        "        if n >= 0 then\n"
        "            local data = text(small, rshift(n, 8))\n"
        "            n = band(n, 255)\n"
        "            if n >= 128 then\n"
        "                return data, types[n - 128], nil\n"
        "            end\n"
        "            return data, types[n], 'again'\n"
        "        elseif n == -2 then\n"
        "            return await(self, f)\n"
        "        end\n"
        "    end\n"
        "    return receive(self)\n"
        "end\n"
        "\n"
        "local function sender(first, send)\n"
        "    local masked = first + 256\n"
        "    local if_set, if_not = is_client and first or masked, is_client and masked or first\n"
        "    return function (self, data)\n"
        "        if type(data) == 'string' and type(self) == 'table'\n"
        "            and type(rawget(self, 1)) == 'userdata' and type(self.sock) == 'table'\n"
        "            and self.sock[1] == self[1]\n"
        "            and type(self.max_send_len) == 'number' and #data <= self.max_send_len\n"
        "            and not rawget(self, 'fatal') and not (is_client and rawget(self, 'closed')) "
        "then\n"
        "            local first = rawget(self, mask_field) and if_set or if_not\n"
        "            local n = put(self[1], first, data, #data)\n"
        "            if n > 0 then\n"
        "                return n, nil\n"
        "            elseif n < 0 then\n"
        "                return wait(self, -n)\n"
        "            end\n"
        "        end\n"
        "        return send(self, data)\n"
        "    end\n"
        "end\n"
        "methods.send_text = sender(129, methods.send_text)\n"
        "methods.send_binary = sender(130, methods.send_binary)\n";

static void push_address(lua_State *L, void (*function)(void))
{
	lua_pushlightuserdata(L, (void *)(uintptr_t)function);
}

void resty_methods(lua_State *L, int is_client)
{
	int helpers = lua_gettop(L), additions = helpers - 1, methods = helpers - 3;
	lua_getfield(L, methods, "recv_frame"); /* for fast_source, over native sockets */
	for (int i = methods; i <= helpers; i++)
		if (i != methods + 1)
			lua_pushvalue(L, i);
	lua_pushboolean(L, is_client);
	resty_run(L, foreign_source, "=resty.websocket", 4, 0);
	lua_pushvalue(L, methods);
	lua_insert(L, -2);
	lua_pushvalue(L, helpers);
	lua_insert(L, -2);
	lua_pushboolean(L, is_client);
	lua_insert(L, -2);
	lua_pushlightuserdata(L, lua_vm_of(L)->worker->small);
	push_address(L, (void (*)(void))lua_frames_fast_take);
	push_address(L, (void (*)(void))lua_frames_fast_put);
	resty_run(L, fast_source, "=resty.websocket", 7, 0);
	lua_settop(L, additions);
}
