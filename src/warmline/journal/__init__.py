"""The one record of everything that happened: append, read, follow, and fire deadlines.  Knows no domain."""

from warmline.journal.journal import Journal as Journal
from warmline.journal.journal import tune_process as tune_process
from warmline.journal.kinds import Appended as Appended
from warmline.journal.kinds import Context as Context
from warmline.journal.kinds import IdempotencyKey as IdempotencyKey
from warmline.journal.kinds import Meta as Meta
from warmline.journal.kinds import StreamKind as StreamKind
