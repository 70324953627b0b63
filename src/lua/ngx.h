/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The groups of the ngx API: a file each. An opener is called once for each VM with the
 * ngx table at the top of the stack, adds its names to it, and leaves the stack as it
 * was. What a group keeps for each VM lies in the registry or in upvalues, and is freed
 * with the VM. */

#include "lua/ngx_re.h"
#include "lua/ngx_shared.h"
#include "lua/ngx_ssl.h"
#include "lua/ngx_string.h"
#include "lua/ngx_time.h"

/* What the modules that lua-resty-core would bring call their version. */
#define NGX_CORE_VERSION "0.1.25"
