/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* ngx.timer, as the VM's owner sees it. One worker's thread. */

struct lua_vm;
struct lua_worker;

/* The VM is replaced or the daemon stops: all pending timers fire now, as premature, and no new one
 * with a delay can be made. */
void ngx_timer_leave(struct lua_vm *vm);
/* Everything that is not of a session ends now, in all VMs: timers that are pending, and what
 * those that have fired wait for. */
void ngx_timer_abort(struct lua_worker *lw);
