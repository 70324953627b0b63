/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What a configuration takes over from the one that runs, so that whatever did not change goes
 * on undisturbed: parts with the settings they had, by reference, the numbers of listeners,
 * and the settings that only a start can change. Control thread. */

#include "config/part.h"

#include <stdbool.h>

struct draft;

/* Before anything is built: notes what each part's settings are. */
void carry_look(struct draft *d);
/* A configuration runs, and this part is not one of it as it stands: it is new, or its settings or
 * files have changed. */
bool carry_is_news(const struct draft *d, enum part_kind kind, const struct part *p);
/* Gives each listener its number: the one it has. */
void carry_number_listeners(struct draft *d);
/* With everything built but the table of routes. Afterwards the drafts point to the parts
 * that stay, and the configuration holds all of them. */
void carry_parts(struct draft *d);
/* The settings of [moongate] with their lines, and those that cannot change as they are; a
 * warning for each that was meant to. `name` stands for the configuration as a whole. */
void carry_process(struct draft *d, const char *name);
