using System.Net;
using System.Text.Json.Nodes;
using LlmMarketplace.Messaging.Publishing;
using LlmMarketplace.Servers;

namespace LlmMarketplace.Messaging.Tests.DeadLetters;

public sealed class DeadLetterTests(PostgresServer postgres)
{
    private const string Path = $"/api/v1/operations/{EventsService.Name}/dead-letters";

    private static readonly MonotonicIds Ids = new(TimeProvider.System);

    [Theory]
    [InlineData("approver")]
    [InlineData("auditor")]
    [InlineData("provider")]
    [InlineData("consumer")]
    [InlineData("service")]
    public async Task Only_administrators_read_dead_letters_and_try_them_again(string role)
    {
        await using var service = await EventsService.StartAsync(postgres);
        var letter = await DeadAsync(service);
        var retry = $"{Path}/{letter}/retry";
        Assert.Equal(HttpStatusCode.Unauthorized, (await service.Service.Client.ReadAsync(Path)).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await service.Service.Client.SendAsync(retry)).StatusCode);
        using var other = service.ClientOf(role);
        Assert.Equal(HttpStatusCode.Forbidden, (await other.ReadAsync(Path)).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, (await other.SendAsync(retry)).StatusCode);
        using var peer = service.Peer();
        Assert.Equal(HttpStatusCode.Forbidden, (await peer.ReadAsync(Path)).StatusCode);
        using var administrator = service.ClientOf("admin");
        Assert.Equal(HttpStatusCode.OK, (await administrator.ReadAsync(Path)).StatusCode);
    }

    [Fact]
    public async Task They_are_listed_oldest_first_page_by_page_and_by_state()
    {
        await using var service = await EventsService.StartAsync(postgres);
        using var administrator = service.ClientOf("admin");
        var letters = new List<Guid>();
        for (var i = 0; i < 5; i++)
        {
            letters.Add(await DeadAsync(service));
        }

        var closed = await DeadAsync(service, "Superseded");
        var seen = new List<Guid>();
        var (pages, cursor) = (0, (string?)null);
        do
        {
            var page = (await administrator.ReadAsync<JsonObject>($"{Path}?limit=2{(cursor is null ? "" : $"&cursor={cursor}")}"));
            seen.AddRange(page["items"]!.AsArray().Select(item => (Guid)item!["id"]!));
            cursor = (string?)page["nextCursor"];
            pages++;
        }
        while (cursor is not null);

        Assert.Equal(letters, seen);
        Assert.Equal(3, pages);
        var superseded = (await administrator.ReadAsync<JsonObject>($"{Path}?state=superseded"))["items"]!.AsArray();
        Assert.Equal(closed, (Guid)Assert.Single(superseded)!["id"]!);
    }

    [Theory]
    [InlineData("?state=lost", "invalid_state")]
    [InlineData("?cursor=nothing", "invalid_cursor")]
    public async Task A_wrong_question_is_answered_with_what_is_wrong(string query, string code)
    {
        await using var service = await EventsService.StartAsync(postgres);
        using var administrator = service.ClientOf("admin");
        using var answer = await administrator.ReadAsync(Path + query);
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Equal(code, (string?)(await answer.BodyAsync())["code"]);
    }

    [Fact]
    public async Task One_that_does_not_exist_cannot_be_tried_again_and_one_that_nobody_can_read_stays_open()
    {
        await using var service = await EventsService.StartAsync(postgres);
        using var administrator = service.ClientOf("admin");
        Assert.Equal(HttpStatusCode.NotFound, (await administrator.SendAsync($"{Path}/{Guid.CreateVersion7()}/retry")).StatusCode);

        var letter = await DeadAsync(service);
        using var answer = await administrator.SendAsync($"{Path}/{letter}/retry");
        Assert.Equal(HttpStatusCode.Conflict, answer.StatusCode);
        Assert.Equal("still_unreadable", (string?)(await answer.BodyAsync())["code"]);
        Assert.Equal("Open", await service.ValueAsync<string>("SELECT state FROM messaging.dead_letters"));
    }

    private static async Task<Guid> DeadAsync(EventsService service, string state = "Open")
    {
        var id = Ids.Next();
        await using var command = service.Superuser.CreateCommand(
            "INSERT INTO messaging.dead_letters (id, topic, event, reason, error, attempts, state, dead_at) VALUES ($1, 'test.others', '\\x7b'::bytea, 'Unreadable', 'Cut.', 0, $2, now())");
        command.Parameters.Add(new() { Value = id });
        command.Parameters.Add(new() { Value = state });
        await command.ExecuteNonQueryAsync();
        return id;
    }
}
