// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 The natutils authors

#include <config.h>

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <unistd.h>

#include "net/privileges.h"

/* Takes out of `wanted` what the process does not have: the kernel refuses to be asked for it. */
static int intersect(cap_t wanted, cap_t have)
{
	for (cap_value_t c = 0; c <= cap_max_bits(); c++) {
		cap_flag_value_t permitted;

		if (cap_get_flag(have, c, CAP_PERMITTED, &permitted))
			return -errno;
		if (permitted == CAP_SET)
			continue;
		if (cap_set_flag(wanted, CAP_PERMITTED, 1, &c, CAP_CLEAR) ||
			cap_set_flag(wanted, CAP_EFFECTIVE, 1, &c, CAP_CLEAR))
			return -errno;
	}
	return 0;
}

int privileges_limit(const char *keep)
{
	char text[256];
	cap_t wanted, have;
	int err = 0;

	if (snprintf(text, sizeof(text), "%s%s", keep, *keep ? "=ep" : "") >= (int)sizeof(text))
		return -EINVAL;
	wanted = cap_from_text(text);
	have = cap_get_proc();
	if (!wanted || !have)
		err = wanted ? -errno : -EINVAL;
	if (!err)
		err = intersect(wanted, have);
	if (!err && cap_set_proc(wanted))
		err = -errno;
	if (have)
		cap_free(have);
	if (wanted)
		cap_free(wanted);
	return err;
}

int privileges_become(const char *user)
{
	struct passwd *entry;
	uid_t uid, real_uid, effective_uid, saved_uid;
	gid_t gid, real_gid, effective_gid, saved_gid;

	errno = 0;
	entry = getpwnam(user);
	if (!entry)
		return errno ? -errno : -ENOENT;
	uid = entry->pw_uid;
	gid = entry->pw_gid;
	if (prctl(PR_SET_KEEPCAPS, 1L, 0L, 0L, 0L) || setgroups(0, NULL) ||
		setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
		return -errno;
	/* what the kernel says it did, not what it was asked for */
	if (getresuid(&real_uid, &effective_uid, &saved_uid) ||
		getresgid(&real_gid, &effective_gid, &saved_gid))
		return -errno;
	if (real_uid != uid || effective_uid != uid || saved_uid != uid || real_gid != gid ||
		effective_gid != gid || saved_gid != gid || getgroups(0, NULL) != 0)
		return -EPERM;
	return 0;
}

int privileges_drop(void)
{
	cap_t none = cap_init(), left = NULL;
	int err = none ? 0 : -errno;

	/* an empty inheritable set empties the ambient one as well: capabilities(7) */
	if (!err && cap_set_proc(none))
		err = -errno;
	if (!err && prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L))
		err = -errno;
	if (!err) {
		left = cap_get_proc();
		if (!left)
			err = -errno;
		else if (cap_compare(left, none))
			err = -EPERM;
	}
	if (left)
		cap_free(left);
	if (none)
		cap_free(none);
	return err;
}
