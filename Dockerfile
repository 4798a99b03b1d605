# One image for web, worker and beat; the command chooses.
FROM python:3.11-slim

# Nothing is written next to the code, and output is not held back.
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1

WORKDIR /app
COPY requirements.txt requirements-traces.txt ./
RUN pip install --no-cache-dir --require-hashes -r requirements.txt -r requirements-traces.txt
COPY . .

# /app/data is the only place that is written to.
RUN useradd --system --uid 10001 tandem && mkdir -p data && chown tandem data
# By its number, so that an orchestrator can see that it is not root.
USER 10001
VOLUME /app/data

CMD ["python", "manage.py", "web", "--host", "0.0.0.0"]
