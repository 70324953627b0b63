/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* The handler set of a configuration: every script that it names, read, compiled, with init
 * run. Control thread. */

struct draft;

/* With groups and routes built and, where they are the same, carried over: gives the routes their
 * scripts, of the running configuration's set when that is the same. */
void build_lua(struct draft *d);
/* Instead, where something else was refused: tells what is wrong with scripts too. */
void build_lua_look(struct draft *d);
/* Before that: groups that scripts may choose are used, though no route leads to them. */
void build_lua_groups(struct draft *d);
