// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#pragma once

/* natlab exec: a command on a host of a laboratory that is running. argv begins at "exec". The exit status. */
int enter_main(int argc, char **argv);
