"""Track data of the player: what it shows of one clip, by kind."""
