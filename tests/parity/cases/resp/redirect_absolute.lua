-- SPDX-License-Identifier: BSD-2-Clause
-- redirect to another server.
ngx.redirect("https://example.com/x y", 301)
