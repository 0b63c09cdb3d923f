//! What is stored: objects, packs, refs, speed features.

use alignwatch_model::{
    Known, Timestamp,
    facts::{pool::Pool, storage::Growth, tasks::Backups},
};

use super::{Case, LOST_TIP, made, set};

/// The folder of packs is none.
const NO_PACK_FOLDER: &str = "mv .git/objects/pack ../aside; cat ../aside/*.pack | git unpack-objects -q; rm -rf .git/objects/pack; ln -s pack .git/objects/pack";

/// A folder of loose objects that can't be listed.
const NO_LOOSE_FOLDER: &str = "rm -rf .git/objects/17; ln -s 17 .git/objects/17";

/// A commit whose objects are loose.
const MORE: &str = "commit three f 3";

/// The file of refs is a loop.
const NO_PACKED_REFS: &str = "commit three f 3; rm .git/packed-refs; ln -s packed-refs .git/packed-refs";

pub(super) const CASES: &[Case] = &[
    made(
        "missing-objects",
        "echo 1111111111111111111111111111111111111111 > .git/refs/heads/lost",
        "git for-each-ref --format='%(objectname)' | git cat-file --batch-check | grep missing",
    ),
    made(
        "object-check",
        "commit three f 3; p=$(loose HEAD:f); chmod u+w \"$p\"; printf x > \"$p\"",
        "git fsck --full >/dev/null 2>&1 || echo ill",
    ),
    made(
        "connectivity",
        "commit three f 3; rm -f $(loose HEAD:f)",
        "git fsck --connectivity-only >/dev/null 2>&1 || echo ill",
    ),
    made(
        "pack-bytes",
        "p=$(pack); chmod u+w $p; printf XYZ | dd of=$p bs=1 seek=40 conv=notrunc 2>/dev/null",
        "git verify-pack $(pack) 2>/dev/null || echo ill",
    ),
    made(
        "incomplete-packs",
        "touch -d '2 hours ago' .git/objects/pack/pack-1234567890123456789012345678901234567890.pack",
        "git count-objects -v 2>&1 | grep 'no corresponding .idx'",
    )
    .unread(NO_PACK_FOLDER),
    made("broken-refs", ": > .git/refs/heads/empty", "git for-each-ref 2>&1 | grep 'broken ref'"),
    made("packed-refs", "echo garbage >> .git/packed-refs", "git for-each-ref >/dev/null 2>&1 || echo ill")
        .unread(NO_PACKED_REFS),
    made(
        "symbolic-refs",
        "git symbolic-ref refs/remotes/origin/HEAD refs/remotes/origin/none",
        "git fsck --connectivity-only 2>&1 | grep 'invalid sha1 pointer'",
    ),
    made("index-readable", "printf DIRC > .git/index", "git ls-files --stage >/dev/null 2>&1 || echo ill")
        .unread("rm .git/index; ln -s index .git/index"),
    made(
        "reflog-objects",
        "h=$(git rev-parse HEAD); o=2222222222222222222222222222222222222222; printf '%s %s ann <a@e> 1 +0000\\tx\\n' $h $o >> .git/logs/HEAD; printf '%s %s ann <a@e> 1 +0000\\tx\\n' $o $h >> .git/logs/HEAD",
        "git fsck 2>&1 | grep 'invalid reflog entry'",
    )
    .unread("rm .git/logs/HEAD; ln -s HEAD .git/logs/HEAD"),
    set("object-pool", |snapshot| {
        let pool = Pool { borrowers: vec!["/other".into()], n_asked: 2, is_precious: false };
        snapshot.facts.pool = Known::Seen(pool);
    }),
    made("loose-objects", MORE, "git count-objects -v | grep -v '^count: 0' | grep '^count:'")
        .by("thresholds: {loose-objects: 1}")
        .unread(NO_LOOSE_FOLDER),
    made("stale-loose-objects", "commit three f 3; find .git/objects/?? -type f -exec touch -d '20 days ago' {} +", "")
        .by("thresholds: {stale-loose-objects: 1}")
        .unread(NO_LOOSE_FOLDER),
    made(
        "duplicate-loose-objects",
        "commit three f 3; git repack -q",
        "git count-objects -v | grep -v 'prune-packable: 0' | grep prune-packable",
    )
    .unread(NO_LOOSE_FOLDER),
    made(
        "pack-count",
        "for n in 3 4 5; do commit $n f $n; git repack -dq; done",
        "git count-objects -v | grep -v '^packs: 1$' | grep '^packs:'",
    )
    .by("thresholds: {pack-count: 2}")
    .unread(NO_PACK_FOLDER),
    made(
        "kept-packs",
        "p=$(pack); k=${p%.pack}.keep; echo 'fetch-pack 7 on host' > $k; touch -d '9 days ago' $k",
        "",
    )
    .unread(NO_PACK_FOLDER),
    made(
        "cruft-packs",
        "head -c 100000 /dev/urandom | git hash-object -w --stdin >/dev/null; git repack --cruft --cruft-expiration=never -d -q",
        "",
    )
    .unread(NO_PACK_FOLDER),
    made("full-repack-age", "touch -d '9 days ago' $(pack); commit three f 3; git repack -dq", "").unread(NO_PACK_FOLDER),
    made(
        "garbage-files",
        "touch -d '2 hours ago' .git/objects/pack/README",
        "git count-objects -v 2>/dev/null | grep -v '^garbage: 0' | grep '^garbage:'",
    )
    .unread(NO_PACK_FOLDER),
    made(
        "temporary-files",
        "touch -d '2 days ago' .git/objects/pack/tmp_pack_x",
        "git prune --dry-run --expire=1.day.ago 2>&1 | grep tmp_pack_x",
    ),
    made("leftover-records", "mkdir -p .git/rr-cache/x; truncate -s 3M .git/rr-cache/x/preimage", "")
        .by("thresholds: {leftover-records: 1}"),
    set("growth", |snapshot| {
        let at = Timestamp(snapshot.seen_at.0 - 7 * 86_400);
        let Known::Seen(storage) = &mut snapshot.facts.storage else { panic!("storage was not seen") };
        storage.growth = Known::Seen(Growth::Since { at, bytes_then: 10 << 30, bytes_now: 20 << 30 });
    }),
    made(
        "shape",
        "commit three a/b/c/d/e/f/g/h/i/j/k/l/m 3",
        "git ls-tree -r --name-only HEAD | awk -F/ '10 < NF'",
    ),
    made(
        "big-blobs",
        "head -c 3000000 /dev/zero > big; git add big; git commit -qm big",
        "git cat-file --batch-all-objects --batch-check | awk '$2 == \"blob\" && 1000000 < $3'",
    )
    .by("thresholds: {big-blobs: 1}"),
    set("backup-unproven", |snapshot| {
        snapshot.facts.backups = Known::Seen(Backups { n: 3, newest_at: Some(snapshot.seen_at), ..Backups::default() });
    }),
    made(
        "path-collisions",
        "commit three F 3",
        "git ls-tree -r -t --name-only HEAD | tr A-Z a-z | sort | uniq -d",
    )
    .unread(LOST_TIP),
    made(
        "commit-graph",
        "rm -r .git/objects/info/commit-graphs; commit three f 3; commit four f 4",
        "test -e .git/objects/info/commit-graphs/commit-graph-chain || echo absent",
    )
    .by("thresholds: {commit-graph: 1}"),
    made(
        "commit-graph-quality",
        "for n in 3 4; do commit $n f $n; git commit-graph write --reachable --split=no-merge --no-progress; done",
        "",
    )
    .by("thresholds: {commit-graph-quality: 1}"),
    made("pack-index", "for n in 3 4 5; do commit $n f $n; git repack -dq; done", "")
        .by("thresholds: {pack-index: 2}")
        .unread(NO_PACK_FOLDER),
    made("bitmaps", "git clone -q --bare . ../bare; git -C ../bare -c repack.writeBitmaps=false repack -adq", "")
        .by("thresholds: {bitmaps: 1}"),
    made("index-features", "commit three g 3; commit four h 4", "git ls-files | tail -n +2")
        .by("thresholds: {index-features: 1}")
        .unread("rm .git/index; ln -s index .git/index"),
    made(
        "loose-refs",
        "for n in $(seq 40); do echo \"create refs/heads/n$n $(git rev-parse HEAD)\"; done | git update-ref --stdin",
        "find .git/refs -type f | tail -n +17",
    )
    .unread(NO_PACKED_REFS),
    made(
        "ref-count",
        "git branch second; git branch third",
        "git for-each-ref | tail -n +2",
    )
    .by("thresholds: {ref-count: 1}"),
    set("ref-backend", |snapshot| snapshot.repository.ref_backend = "reftable".into()),
    made("gc-blocked", "echo 'error: it failed' > .git/gc.log", "")
        .unread("ln -s gc.log .git/gc.log"),
    made("no-upkeep", "git config gc.auto 0", "git config --get-regexp '^(gc|maintenance)\\.'"),
];
