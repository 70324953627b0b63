/* SPDX-License-Identifier: BSD-2-Clause */

/* resty.websocket.protocol: frames over any object that has a cosocket's receive() and send().
 * Native sockets are read and written in C. For all others it is Lua, since their methods may
 * yield, which a C function in between would not let them. */

#include "base/mem.h"
#include "base/random.h"
#include "lua/args.h"
#include "lua/frames.h"
#include "lua/resty.h"
#include "lua/values.h"
#include "lua/vm.h"
#include "ws/header.h"
#include "ws/mask.h"

#include <lauxlib.h>

/* ---- frames as strings ---- */

static int l_build_frame(lua_State *L)
{
	uint8_t header[WS_HEADER_MAX];
	size_t len;
	luaL_Buffer b;
	bool fin = lua_toboolean(L, 1), masked = lua_toboolean(L, 5);
	lua_Integer opcode = luaL_checkinteger(L, 2);
	lua_Number announced = luaL_checknumber(L, 3);
	const char *payload = luaL_checklstring(L, 4, &len);
	luaL_argcheck(L, opcode >= 0 && opcode <= UINT8_MAX, 2, "invalid value");
	if (announced > INT32_MAX || announced < 0) {
		lua_pushnil(L);
		lua_pushliteral(L, "payload too big");
		return 2;
	}
	struct ws_frame f = {.len = (uint64_t)announced, .masked = masked};
	if (masked)
		random_bytes(f.key, sizeof f.key);
	size_t n = ws_frame_write(header, &f);
	header[0] = (uint8_t)((fin ? WS_FIN : 0) | opcode);
	luaL_buffinit(L, &b);
	luaL_addlstring(&b, (const char *)header, n);
	if (!masked)
		luaL_addlstring(&b, payload, len);
	unsigned phase = 0;
	for (size_t at = 0; masked && at < len;) {
		size_t piece = len - at < LUAL_BUFFERSIZE ? len - at : LUAL_BUFFERSIZE;
		char *to = luaL_prepbuffer(&b);
		memcpy(to, payload + at, piece);
		phase = ws_mask((uint8_t *)to, piece, f.key, phase);
		luaL_addsize(&b, piece);
		at += piece;
	}
	luaL_pushresult(&b);
	return 1;
}

/* (masked payload): the payload, without the key that stands before it. */
static int l_unmask(lua_State *L)
{
	size_t len;
	const char *at = luaL_checklstring(L, 1, &len);
	luaL_argcheck(L, len >= 4, 1, "too short");
	char *room = lua_newuserdata(L, len);
	memcpy(room, at, len);
	ws_mask((uint8_t *)room + 4, len - 4, (const uint8_t *)room, 0);
	lua_pushlstring(L, room + 4, len - 4);
	return 1;
}

/* ---- native sockets ---- */

static int l_is_native(lua_State *L)
{
	lua_pushboolean(L, lua_frames_of(L, 1) != NULL);
	return 1;
}

/* (sock, max_payload_len, force_masking) */
static int l_receive(lua_State *L)
{
	struct lua_frames *f = lua_frames_of(L, 1);
	lua_frames_need(L, f);
	if (lua_frames_may_ask(f)) {
		f->max_len = luaL_checknumber(L, 2);
		f->needs_mask = lua_toboolean(L, 3);
		f->is_message = false;
		f->sets_fatal = false;
	}
	lua_frames_hold(L, 1);
	return lua_frames_receive(L, f);
}

/* (sock, fin, opcode, payload, masking), which were judged */
static int l_send(lua_State *L)
{
	struct lua_frames *f = lua_frames_of(L, 1);
	lua_frames_need(L, f);
	lua_Integer opcode = luaL_checkinteger(L, 3);
	luaL_argcheck(L, opcode >= 0 && opcode <= UINT8_MAX, 3, "invalid value");
	bool fin = lua_toboolean(L, 2);
	struct lua_frame_out o = {.fin = fin,
	        .masked = lua_toboolean(L, 5),
	        .opcode = (uint8_t)(opcode & WS_OPCODE),
	        .first = (uint8_t)((fin ? WS_FIN : 0) | opcode),
	        .sock = 1,
	        .a = args_text(L, 4),
	        .b = SLICE("")};
	return lua_frames_send(L, f, &o);
}

/* ---- other objects ---- */

static const char source[] =
        "local is_native, receive_native, send_native, build_frame, unmask = ...\n"
        "local band, lshift, byte, sub, type, tostring =\n"
        "    bit.band, bit.lshift, string.byte, string.sub, type, tostring\n"
        "local types = { [0] = 'continuation', 'text', 'binary', [8] = 'close', [9] = 'ping',\n"
        "    [10] = 'pong' }\n"
        "\n"
        "local function read_length(sock, short)\n"
        "    if short < 126 then\n"
        "        return short\n"
        "    end\n"
        "    local size = short == 126 and 2 or 8\n"
        "    local bytes, err = sock:receive(size)\n"
        "    if not bytes then\n"
        "        return nil, 'failed to receive the ' .. size .. ' byte payload length: '\n"
        "            .. (err or 'unknown')\n"
        "    end\n"
        "    if size == 2 then\n"
        "        return byte(bytes, 1) * 256 + byte(bytes, 2)\n"
        "    end\n"
        "    local len = 0\n"
        "    for i = 1, 8 do\n"
        "        len = len * 256 + byte(bytes, i)\n"
        "    end\n"
        "    if len > 2147483647 then\n"
        "        return nil, 'payload len too large'\n"
        "    end\n"
        "    return len\n"
        "end\n"
        "\n"
        "local function judge(opcode, len, fin, max)\n"
        "    if opcode >= 8 then\n"
        "        if len > 125 then\n"
        "            return 'too long payload for control frame'\n"
        "        elseif not fin then\n"
        "            return 'fragmented control frame'\n"
        "        end\n"
        "    end\n"
        "    return len > max and 'exceeding max payload len' or nil\n"
        "end\n"
        "\n"
        "local function finish(opcode, fin, payload)\n"
        "    if opcode == 8 then\n"
        "        if #payload == 0 then\n"
        "            return '', 'close', nil\n"
        "        elseif #payload < 2 then\n"
        "            return nil, nil, 'close frame with a body must carry a 2-byte status code'\n"
        "        end\n"
        "        return sub(payload, 3), 'close', byte(payload, 1) * 256 + byte(payload, 2)\n"
        "    end\n"
        "    return payload, types[opcode], not fin and 'again' or nil\n"
        "end\n"
        "\n"
        "local function recv_frame(sock, max_payload_len, force_masking)\n"
        "    if is_native(sock) then\n"
        "        return receive_native(sock, max_payload_len, force_masking)\n"
        "    end\n"
        "    local head, err = sock:receive(2)\n"
        "    if not head then\n"
        "        return nil, nil, 'failed to receive the first 2 bytes: ' .. (err or 'unknown')\n"
        "    end\n"
        "    local first, second = byte(head, 1, 2)\n"
        "    local fin, opcode = first >= 128, band(first, 15)\n"
        "    if band(first, 0x70) ~= 0 then\n"
        "        return nil, nil, 'bad RSV1, RSV2, or RSV3 bits'\n"
        "    elseif opcode >= 3 and opcode <= 7 then\n"
        "        return nil, nil, 'reserved non-control frames'\n"
        "    elseif opcode >= 11 then\n"
        "        return nil, nil, 'reserved control frames'\n"
        "    end\n"
        "    local masked = second >= 128\n"
        "    if force_masking and not masked then\n"
        "        return nil, nil, 'frame unmasked'\n"
        "    end\n"
        "    local len, why = read_length(sock, band(second, 127))\n"
        "    if not len then\n"
        "        return nil, nil, why\n"
        "    end\n"
        "    why = judge(opcode, len, fin, max_payload_len)\n"
        "    if why then\n"
        "        return nil, nil, why\n"
        "    end\n"
        "    local rest, payload = masked and len + 4 or len, ''\n"
        "    if rest > 0 then\n"
        "        payload, err = sock:receive(rest)\n"
        "        if not payload then\n"
        "            return nil, nil, 'failed to read masking-len and payload: '\n"
        "                .. (err or 'unknown')\n"
        "        end\n"
        "    end\n"
        "    return finish(opcode, fin, masked and unmask(payload) or payload)\n"
        "end\n"
        "\n"
        "local function send_frame(sock, fin, opcode, payload, max_payload_len, masking)\n"
        "    if not payload then\n"
        "        payload = ''\n"
        "    elseif type(payload) ~= 'string' then\n"
        "        payload = tostring(payload)\n"
        "    end\n"
        "    if #payload > max_payload_len then\n"
        "        return nil, 'payload too big'\n"
        "    end\n"
        "    if band(opcode, 8) ~= 0 then\n"
        "        if #payload > 125 then\n"
        "            return nil, 'too much payload for control frame'\n"
        "        elseif not fin then\n"
        "            return nil, 'fragmented control frame'\n"
        "        end\n"
        "    end\n"
        "    if is_native(sock) then\n"
        "        return send_native(sock, fin, opcode, payload, masking)\n"
        "    end\n"
        "    local frame, err = build_frame(fin, opcode, #payload, payload, masking)\n"
        "    if not frame then\n"
        "        return nil, 'failed to build frame: ' .. err\n"
        "    end\n"
        "    local bytes, why = sock:send(frame)\n"
        "    if not bytes then\n"
        "        return nil, 'failed to send frame: ' .. why\n"
        "    end\n"
        "    return bytes\n"
        "end\n"
        "\n"
        "return recv_frame, send_frame\n";

void resty_run(lua_State *L, const char *text, const char *name, int args, int results)
{
	if (luaL_loadbuffer(L, text, strlen(text), name))
		lua_error(L);
	lua_insert(L, -1 - args);
	lua_call(L, args, results);
}

int resty_protocol_module(lua_State *L)
{
	static const lua_CFunction functions[] = {
	        l_is_native, l_receive, l_send, l_build_frame, l_unmask};
	enum { N = sizeof functions / sizeof functions[0] };
	lua_createtable(L, 0, 5);
	for (size_t i = 0; i < N; i++)
		lua_pushcfunction(L, functions[i]);
	resty_run(L, source, "=resty.websocket.protocol", N, 2);
	lua_setfield(L, -3, "send_frame");
	lua_setfield(L, -2, "recv_frame");
	lua_pushcfunction(L, l_build_frame);
	lua_setfield(L, -2, "build_frame");
	lua_getglobal(L, "require");
	lua_pushliteral(L, "table.new");
	lua_call(L, 1, 1);
	lua_setfield(L, -2, "new_tab");
	lua_pushliteral(L, RESTY_VERSION);
	lua_setfield(L, -2, "_VERSION");
	return 1;
}

/* ---- the modules' names ---- */

/* The other name of the same module: upvalue 1 is the first. */
static int open_alias(lua_State *L)
{
	lua_getglobal(L, "require");
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_call(L, 1, 1);
	return 1;
}

static void preload(lua_State *L, const char *name, lua_CFunction open)
{
	const char *alias = lua_pushfstring(L, "nginx.websocket.%s", name);
	const char *first = lua_pushfstring(L, "resty.websocket.%s", name);
	lua_pushvalue(L, -1);
	lua_pushcclosure(L, open_alias, 1);
	lua_preload(L, alias);
	lua_pushcfunction(L, open);
	lua_preload(L, first);
	lua_pop(L, 2);
}

void resty_open(lua_State *L)
{
	lua_frames_open(L);
	preload(L, "protocol", resty_protocol_module);
	preload(L, "server", resty_server_module);
	preload(L, "client", resty_client_module);
}
