from app.database.connection import Database
from app.database.users import Users


def test_the_local_user_is_created_once_and_stays_the_same(database):
    first = Users(database).local()
    database.close()
    again = Database(database.path)
    again.open()

    assert Users(again).local() == first
    assert again.read(lambda db: db["users"].count) == 1
    again.close()


def test_a_user_exists_or_does_not(database):
    users = Users(database)

    assert users.exists(users.local())
    assert not users.exists("nobody")
