//! The committed description of the API is the one that is served.

#[test]
fn docs_openapi_json_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/schema/openapi.json");
    let there = std::fs::read_to_string(path).unwrap_or_default();
    let now = alignwatch_web::openapi();
    if there != now {
        // So that the next commit has it; the test fails all the same.
        std::fs::write(path, &now).expect("the description can be written");
        panic!("docs/schema/openapi.json was not current; it is written now");
    }
}
