import threading

import numpy as np

from app.database.jobs import Jobs
from app.database.journal import Journal
from app.records import Problem


def test_jobs_are_claimed_oldest_first_and_each_once(database, shelf):
    first, second = shelf.add(), shelf.add()
    jobs = Jobs(database)

    claimed = [jobs.claim(), jobs.claim()]

    assert [job.document_id for job in claimed] == [first.id, second.id]
    assert [job.attempts for job in claimed] == [1, 1]
    assert jobs.claim() is None


def test_no_job_is_claimed_twice_by_many_threads(database, shelf):
    expected = {shelf.add().id for _ in range(30)}
    jobs = Jobs(database)
    claimed = []

    def work():
        while (job := jobs.claim()) is not None:
            claimed.append(job.document_id)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(claimed) == 30
    assert set(claimed) == expected


def test_a_released_job_is_claimable_and_its_attempt_does_not_count(database, shelf):
    shelf.add()
    jobs = Jobs(database)
    jobs.release(jobs.claim())

    assert jobs.claim().attempts == 1


def test_the_jobs_of_a_dead_process_are_claimable_after_recovery(database, documents, shelf, user):
    document = shelf.add()
    jobs = Jobs(database)
    jobs.claim()
    documents.progress(document.id, status="reading", pages=9, pages_read=4)

    assert jobs.recover() == 1

    found = documents.get(user, document.id)
    assert (found.status, found.pages_read) == ("queued", 0)
    job = jobs.claim()
    assert (job.document_id, job.attempts) == (document.id, 2)


def test_a_document_at_work_when_the_program_ended_goes_last_and_alone(database, shelf):
    suspect, other = shelf.add(), shelf.add()
    jobs = Jobs(database)
    assert jobs.claim().document_id == suspect.id
    jobs.recover()

    job = jobs.claim()
    assert job.document_id == other.id
    assert jobs.claim() is None  # not beside another

    jobs.release(job)
    late = jobs.claim()
    assert late.document_id == other.id
    shelf.documents.fail(other.id, Problem("unreadable", "Broken."))
    assert jobs.claim().document_id == suspect.id
    shelf.add()
    assert jobs.claim() is None  # and no other beside it


def test_a_document_that_ended_the_program_four_times_is_failed(database, documents, shelf, user):
    document = shelf.add()
    jobs = Jobs(database)
    for _ in range(4):
        assert jobs.claim().document_id == document.id
        assert documents.get(user, document.id).status != "failed"
        jobs.recover()
    other = shelf.add()

    failed = documents.get(user, document.id)

    assert failed.status == "failed"
    assert failed.error.code == "parser_limit"
    assert failed.error.message == "This file could not be read: it stopped the reader 4 times."
    assert jobs.claim().document_id == other.id


def test_a_document_that_gets_further_each_time_is_not_to_blame(database, documents, shelf, user):
    document = shelf.add()
    jobs, journal = Jobs(database), Journal(database)
    for batch in range(6):
        assert jobs.claim().document_id == document.id
        journal.note(document.id, "e" * 64, [bytes([batch]) * 32], np.ones((1, 4), np.float32))
        jobs.recover()

    assert documents.get(user, document.id).status == "queued"


def test_a_retry_of_a_failed_document_starts_counting_anew(database, documents, shelf):
    document = shelf.add()
    jobs = Jobs(database)
    for _ in range(4):
        jobs.claim()
        jobs.recover()

    documents.requeue(document.id)

    assert jobs.claim().attempts == 1


def test_a_job_goes_with_its_document(database, documents, shelf, user):
    document = shelf.add()
    jobs = Jobs(database)
    job = jobs.claim()
    documents.delete(user, document.id)

    jobs.release(job)

    assert jobs.recover() == 0
    assert jobs.waiting() == 0
