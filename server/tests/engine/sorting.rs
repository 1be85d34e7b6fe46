//! The order of lists is that of the language that was chosen, also of what is written while it is carried out.

use std::cell::Cell;

use roadbook_protocol::ids::ContactId;
use roadbook_server::engine::EngineError;
use roadbook_server::sorting::Sorting;

use super::support::{World, set};

/// The contacts as lists show them: by company, and by name, which is the company's here.
fn order(world: &World) -> Vec<ContactId> {
    let by = |key: &'static str| {
        world
            .engine
            .read(move |conn| -> Result<_, EngineError> {
                let query = format!("SELECT id FROM projection ORDER BY {key}, n");
                let mut statement = conn.prepare(&query)?;
                let rows = statement.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
                Ok(rows.collect::<Result<Vec<_>, _>>()?)
            })
            .unwrap()
    };
    assert_eq!(by("company_key"), by("sort_key"));
    by("sort_key").iter().map(|id| ContactId::from_slice(id).unwrap()).collect()
}

#[test]
fn lists_are_sorted_by_the_language_that_was_chosen_whatever_is_written_meanwhile() {
    let mut world = World::new();
    let ids = world.import(None, 700);
    let first = ["Zander", "Åberg", "Ærø", "Яшин"];
    let rename = |world: &World, at: usize, name: &str| {
        world.office_edit(ids[at], vec![set("company", name)]);
    };
    // Among the first that get their keys, and among the last.
    for (at, name) in [0, 1, 2, 3, 690, 691, 692, 693].into_iter().zip(first.iter().cycle()) {
        rename(&world, at, name);
    }
    world.merged();
    let place =
        |world: &World, at: usize| order(world).iter().position(|id| *id == ids[at]).unwrap();
    let sorted = |world: &World, places: [usize; 4]| places.map(|at| place(world, at)).is_sorted();
    assert!(sorted(&world, [1, 2, 0, 3]), "the general order: Åberg, Ærø, Zander, Яшин");

    let danish = Sorting::of_tag("da").unwrap();
    world.engine.choose_sorting(world.workspace, None, danish).unwrap();
    let slices = Cell::new(0);
    let after = |most: u32| {
        slices.set(slices.get() + 1);
        slices.get() > most
    };
    world.engine.sort_anew(|| after(1)).unwrap();
    // Some have their keys, some do not: both are as they should be, and so is what is written now.
    world.assert_clean();
    rename(&world, 2, "Østergård");
    rename(&world, 692, "Østergård");
    rename(&world, 300, "Ålborg");
    world.merged();
    world.assert_clean();
    // It ends in the middle, and goes on after the next start.
    world.restart();
    world.assert_clean();
    world.engine.sort_anew(|| false).unwrap();
    world.assert_clean();
    assert!(sorted(&world, [0, 2, 1, 3]), "Zander, Østergård, Åberg, Яшин");
    assert!(sorted(&world, [690, 692, 691, 693]));
    assert!(sorted(&world, [2, 692, 1, 300]), "Østergård twice, Åberg, Ålborg");

    // Another choice, and the same once more.
    for _ in 0..2 {
        world.engine.choose_sorting(world.workspace, None, Sorting::of_tag("ru").unwrap()).unwrap();
        world.engine.sort_anew(|| false).unwrap();
        world.assert_clean();
        assert!(sorted(&world, [3, 1, 2, 0]), "Яшин, Åberg, Østergård, Zander");
    }
    let told = world.engine.read(|conn| -> Result<_, EngineError> {
        Ok(conn.query_row(
            "SELECT count(*) FROM audit WHERE action = 'sorting.set'",
            [],
            |row| row.get::<_, u64>(0),
        )?)
    });
    assert_eq!(told.unwrap(), 2, "what changes nothing is not told");
}
