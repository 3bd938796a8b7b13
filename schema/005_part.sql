-- A piece that a wanted file shares with one that is not wanted has bytes of
-- both. Those of the other are kept out of sight until it is wanted.
ALTER TABLE file ADD COLUMN part TEXT; -- where its bytes lie while it is not wanted, below save_path; NULL = at its path

PRAGMA user_version = 5;
