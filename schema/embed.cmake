# Makes a .c of the schema's files, so that the program carries its own SQL:
#   cmake -DOUT=journal_schema.c "-DFILES=001_a.sql;002_b.sql" -P embed.cmake
# Bytes instead of string literals: a literal over 4095 characters is not C.
list(SORT FILES)
set(texts "")
set(rows "")
set(all "")
set(last 0)
foreach(file IN LISTS FILES)
  get_filename_component(name ${file} NAME_WE)
  string(REGEX MATCH "^[0-9]+" number ${name})
  string(REGEX REPLACE "^0+" "" version "${number}")
  math(EXPR last "${last} + 1")
  if(NOT version STREQUAL last)
    message(FATAL_ERROR "${file}: expected migration ${last}")
  endif()
  file(READ ${file} hex HEX)
  string(REGEX REPLACE "(................................)" "\\1\n" hex ${hex})
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes ${hex})
  if(bytes MATCHES "0x[89a-f]")
    message(FATAL_ERROR "${file}: only ASCII, please")
  endif()
  string(APPEND texts
         "static const char journal_sql_${version}[] = {\n${bytes}0x00};\n")
  string(APPEND all "${bytes}")
  string(APPEND rows "    {${version}, \"${name}\", journal_sql_${version}},\n")
endforeach()
file(WRITE ${OUT}.new "/* Made by schema/embed.cmake. */
#include \"journal/internal.h\"

${texts}
const struct journal_migration journal_migrations[] = {
${rows}};
const size_t journal_n_migrations = ${last};
const char journal_all_sql[] = {
${all}0x00};
")
configure_file(${OUT}.new ${OUT} COPYONLY)
