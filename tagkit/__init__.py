"""tagkit: music tagging with neural networks, in the order in which a sound passes.

stage          object                            made by
corpus folder  tables and mp3 files              corpus.open, annotations
labels         frame (n_clips, n_tags) uint8     Corpus.labels, tags
samples        array (n_samples,) float32        audio.load
clip store     memory map (n_clips, n_samples)   store.prepare, store.ClipStore
batch          tensor (batch, n_samples)         batches.RandomCrops, batches.GridCrops
mel            tensor (batch, n_mels, n_frames)  mel.LogMel, inside the model
logits         tensor (batch, n_tags)            models.DielemanRaw, .DielemanMel, .K2C2
scores         array (n_clips, n_tags) in 0..1   predict.clip_scores
metrics        frame, a row per tag              metrics.evaluate
training       loss, curves, checkpoints         train.fit
tables         frames for a notebook             tables.leaderboard
pictures       a matplotlib axis                 plots
players        widgets with a static fallback    widgets
exercises      right, wrong, not tried           checks.check
command line   tagkit prepare, train, ...        cli

A file imports only from files above it in this list. Importing tagkit itself
imports nothing; write ``from tagkit import corpus, store``.
"""
