"""Drives a stand-alone sandbox by the vendor's own Python SDK: reads, updates and lists clients; creates nothing.

Usage: complycube_clients.py BASE_URL TOKEN ID
"""

import sys

import complycube
from complycube import ComplyCubeClient
from complycube.error import ComplyCubeAPIError

base_url, token, client_id = sys.argv[1:]
complycube._base_url = base_url + "/v1"
clients = ComplyCubeClient(api_key=token).clients

# Read.
before = clients.get(client_id)
assert before.id == client_id, before.id
assert before.type == "person", before.type

# Update one field: it changes, and its neighbours stay.
updated = clients.update(client_id, joinedDate="2021-02-03")
assert updated.joined_date == "2021-02-03", updated.joined_date
after = clients.get(client_id)
assert after.joined_date == "2021-02-03", after.joined_date
assert after.email == before.email
assert after.person_details.first_name == before.person_details.first_name

# Update one nested field: the details merge.
clients.update(client_id, personDetails={"middleName": "Q."})
merged = clients.get(client_id)
assert merged.person_details.middle_name == "Q."
assert merged.person_details.last_name == before.person_details.last_name

# What the contract refuses is an error that the SDK understands.
try:
    clients.update(client_id, joinedDate="2021-02-31")
    raise SystemExit("a date that does not exist was accepted")
except ComplyCubeAPIError as error:
    print("refused, as it should be:", error)

# List, page by page.
listed = [client.id for client in clients.auto_list(pageSize=10)]
assert client_id in listed, listed
assert len(listed) == len(set(listed)), listed
print("listed", len(listed), "clients")

# A wrong key.
try:
    ComplyCubeClient(api_key="wrong").clients.get(client_id)
    raise SystemExit("a wrong key was accepted")
except ComplyCubeAPIError as error:
    print("refused, as it should be:", error)
