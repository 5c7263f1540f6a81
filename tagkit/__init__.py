"""tagkit: music tagging with neural networks, a room for each part of the way.

data        from a corpus on the disk to batches
  annotations  the two tables of a corpus, read strictly   annotations.read
  labels       a table as a person writes it               labels.read
  tags         labels (n_clips, n_tags) uint8, splits      tags.cooccurrence
  corpus       tables and sound of one corpus              corpus.open
  download     MagnaTagATune, verified, resumable          download.magnatagatune
  audio        samples (n_samples,) float32, 16 kHz        audio.load
  folders      the sound below folders, each file once    folders.search
  metadata     a file's own artist, title, genre           metadata.write
  store        memory map (n_clips, n_samples) int16       store.prepare
  batches      samples (batch, n_samples) and labels       batches.RandomCrops
  feed         batches on the device, ahead of a GPU       feed.Feed
  shards       clips in large files, near or far           shards.Stream
models      samples (batch, n_samples) -> logits (batch, n_tags)
  tagger       what all models share; mel, their first layer; a file per family
training    from a model and clips to a trained tagger
  train        Config, fit: forward, loss, backward, step  train.fit
  checkpoints  weights and state of a run on the disk      checkpoints.load
  probe        a tagger for own tags from a few labels     probe.learn
  augment      each batch changed a little                 augment.mix
  recipes      how the papers trained, as values           recipes.RECIPES
evaluation  from a trained tagger to scores and their worth
  predict      scores (n_clips, n_tags) in [0, 1]          predict.clip_scores
  tagging      many files: tagged, written, continued      tagging.tag
  networks     names and files of the networks here        networks.find
  cache        embeddings of files, each computed once     cache.embedder
  metrics      a row per tag, with intervals               metrics.evaluate
  results      recorded runs, leaderboard, paper cards     results.leaderboard
  export       a network as an ONNX file                   export.write
  features     hand-made features, models that use them    features.BoostedTrees
  neighbours   clips that sound alike, playlists, hubs     neighbours.nearest
  similar      files that sound like one, m3u8             similar.nearest
machine     what the computer offers
  devices      device, precision, room in its memory       devices.choose
  processes    the processes of torchrun, alone or many    processes.place
plots       pictures: arrays in, a matplotlib axis out
widgets     players and controls, each with a static form
checks      exercises: right, wrong, not tried             checks.check

Beside the rooms: files (a file is there whole or not at all), cli (the command tagkit),
lab (JupyterLab on copies of the lessons), doctor (what is wrong with the installation).
Importing tagkit itself imports nothing; write
``from tagkit.data import corpus, store``.
"""
