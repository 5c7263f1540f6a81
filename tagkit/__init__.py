"""tagkit: music tagging with neural networks, in the order in which a sound passes.

file         gives                                     for example
tags         labels (n_clips, n_tags) uint8, splits    tags.cooccurrence
annotations  the two tables of a corpus, read strictly annotations.read
container    what a sound file promises to hold        container.promised
audio        samples (n_samples,) float32, 16 kHz      audio.load
corpus       tables and sound of one corpus            corpus.open
archive      clips out of a zip archive in parts       archive.unpack
download     MagnaTagATune, verified, resumable        download.magnatagatune
store        memory map (n_clips, n_samples) int16     store.prepare
ranks        processes of torchrun, alone or many      ranks.place
devices      device, precision, room in its memory     devices.choose
batches      samples (batch, n_samples) and labels     batches.RandomCrops
feed         batches to the device, ahead of time      feed.Feed
mel          (batch, n_mels, n_frames), in the model   mel.LogMel
tagger       what all models share                     tagger.Tagger
models       logits (batch, n_tags)                    models.K2C2
predict      scores (n_clips, n_tags) in [0, 1]        predict.clip_scores
metrics      a row per tag, with intervals             metrics.evaluate
runs         weights and records on the disk           runs.load_weights
state        last.pt: a training goes on from there     state.State
augment      each batch a little changed               augment.mix
interrupts   Ctrl-C, never in the middle of a save     interrupts.Interrupts
steps        gradients in the memory there is          steps.Gradients
train        the loop, its settings and history        train.fit
recipes      how the papers trained, as values         recipes.RECIPES
features     hand-made features, models that use them  features.BoostedTrees
neighbours   clips that sound alike, playlists, hubs   neighbours.nearest
tables       frames that compare recorded runs         tables.leaderboard
plots        pictures: arrays in, a matplotlib axis out
widgets      players and controls, each with a static form
checks       exercises: right, wrong, not tried        checks.check
shards       clips in large files, near or far         shards.Stream
doctor       what is wrong with this installation      doctor.report
commands     what the commands do
cli          the command: download, prepare, train, evaluate, tag

A file imports only from files above it in this list. Importing tagkit itself
imports nothing; write ``from tagkit import corpus, store``.
"""
