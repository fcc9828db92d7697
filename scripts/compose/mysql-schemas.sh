# Runs once, when MySQL makes its volume: a schema for each service, and a user that may use this one only.

make_schema() {
  echo "CREATE DATABASE IF NOT EXISTS $1 CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin;"
  echo "CREATE USER IF NOT EXISTS '$1'@'%' IDENTIFIED BY '$2';"
  # in a grant, `_` stands for any character
  echo "GRANT ALL ON \`$(echo "$1" | sed 's/_/\\_/g')\`.* TO '$1'@'%';"
}

{
  make_schema fieldline_auth "$MYSQL_AUTH_PASSWORD"
  make_schema fieldline_registry "$MYSQL_REGISTRY_PASSWORD"
  make_schema fieldline_provisioning "$MYSQL_PROVISIONING_PASSWORD"
  make_schema fieldline_telemetry "$MYSQL_TELEMETRY_PASSWORD"
} | MYSQL_PWD="$MYSQL_ROOT_PASSWORD" mysql --user=root --host=localhost
