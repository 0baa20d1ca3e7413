# The gate in a container: docker build -t modelcheck . ; docker run --rm -v "$PWD:/project" modelcheck pytest suites/
# Files that ship need what runs them: docker build --build-arg EXTRAS=[litert,onnx] -t modelcheck .
FROM python:3.12-slim
ARG EXTRAS=""
COPY pyproject.toml README.md LICENSE /source/
COPY modelcheck /source/modelcheck
RUN pip install --no-cache-dir "/source$EXTRAS" pytest-xdist && rm -r /source \
    && useradd --create-home gate
USER gate
WORKDIR /project
CMD ["pytest", "suites/"]
