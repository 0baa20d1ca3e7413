"""The record that stands between a network and a judgement: a folder of arrays and one manifest.

Members carry the digest of their content in their names, and the manifest, which lists them, is
replaced last and at once. Whenever a writer is killed, the folder therefore holds the old record or
the new one, whole. Nothing is read whose digest the manifest does not list, and nothing is ever
unpickled.
"""

from modelcheck.signature.exchange import MapExchange
from modelcheck.signature.history import Approval, ApprovalState, find_approval
from modelcheck.signature.names import check_storable
from modelcheck.signature.reading import read_manifest, read_record, read_signature
from modelcheck.signature.record import LayerRecord, Signature, SignatureError
from modelcheck.signature.storage import FORMAT, find_stray_members
from modelcheck.signature.table_record import LocalEffect, ProfileExchange, TableSignature

Record = Signature | TableSignature
"""What is kept of a network, on pictures or on a table."""

__all__ = [
    "FORMAT",
    "Approval",
    "ApprovalState",
    "LayerRecord",
    "LocalEffect",
    "MapExchange",
    "ProfileExchange",
    "Record",
    "Signature",
    "SignatureError",
    "TableSignature",
    "check_storable",
    "find_approval",
    "find_stray_members",
    "read_manifest",
    "read_record",
    "read_signature",
]
