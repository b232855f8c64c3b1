-- Run once, when the volume is new: the services' own role owns their database and nothing else.
\getenv password DATABASE_PASSWORD
CREATE ROLE taskgate LOGIN PASSWORD :'password';
ALTER DATABASE taskgate OWNER TO taskgate;
