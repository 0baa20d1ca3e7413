# The gate in a container: docker build -t modelcheck . ; docker run --rm -v "$PWD:/project" modelcheck pytest suites/
FROM python:3.12-slim
COPY pyproject.toml README.md LICENSE /source/
COPY modelcheck /source/modelcheck
RUN pip install --no-cache-dir /source pytest-xdist && rm -r /source \
    && useradd --create-home gate
USER gate
WORKDIR /project
CMD ["pytest", "suites/"]
