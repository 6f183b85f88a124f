using System.Net;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Publishing.Validation;
using LlmMarketplace.Publishing.Versions;
using Npgsql;

namespace LlmMarketplace.Publishing.Tests.Versions;

public sealed class LifecycleTests(SharedPublishing shared) : IAsyncDisposable
{
    private readonly PublishingApp app = shared.App;
    private readonly NpgsqlDataSource superuser = NpgsqlDataSource.Create(shared.App.Database.SuperuserConnectionString);
    private readonly NpgsqlDataSource service = NpgsqlDataSource.Create(shared.App.Database.AppConnectionString);

    public async ValueTask DisposeAsync()
    {
        await superuser.DisposeAsync();
        await service.DisposeAsync();
    }

    [Fact]
    public async Task The_database_allows_exactly_what_the_code_allows()
    {
        var wrong = new List<string>();
        foreach (var before in WireNames<VersionStatus>.All)
        {
            foreach (var after in WireNames<VersionStatus>.All.Where(other => other != before))
            {
                var (_, version) = await RowAsync(before);
                var allowed = VersionLifecycle.Allows(WireNames<VersionStatus>.Parse(before), WireNames<VersionStatus>.Parse(after));
                var refused = await RefusalAsync("UPDATE versions SET status = $2 WHERE id = $1", version, after);
                if (refused != (allowed ? null : PostgresErrorCodes.CheckViolation))
                {
                    wrong.Add($"{before} to {after}: {refused ?? "allowed"}");
                }
            }
        }

        Assert.Empty(wrong);
    }

    [Theory]
    [InlineData("draft", "validating")]
    [InlineData("validating", "failed_validation", "pending_approval", "active")]
    [InlineData("failed_validation", "validating")]
    [InlineData("pending_approval", "active", "rejected")]
    [InlineData("rejected")]
    [InlineData("active", "deprecated", "suspended")]
    [InlineData("deprecated", "suspended", "retired")]
    [InlineData("suspended", "active", "deprecated", "retired")]
    [InlineData("retired")]
    public void The_life_of_a_version_is_this(string before, params string[] after) => Assert.Equal(
        after.Order(), WireNames<VersionStatus>.All.Where(next => VersionLifecycle.Allows(WireNames<VersionStatus>.Parse(before), WireNames<VersionStatus>.Parse(next))).Order());

    [Fact]
    public async Task The_database_refuses_to_begin_elsewhere_than_as_draft()
    {
        var (listing, _) = await RowAsync("draft");
        Assert.Equal(PostgresErrorCodes.CheckViolation, await RefusalAsync(
            "INSERT INTO versions (id, listing_id, version, status, document, issues, suspended_by_operator, created_at, changed_at) VALUES (gen_random_uuid(), $1, '9.0.0', $2, '{}', '[]', false, now(), now())", listing, "active"));
    }

    [Theory]
    [InlineData("draft", true)]
    [InlineData("failed_validation", true)]
    [InlineData("pending_approval", false)]
    [InlineData("active", false)]
    [InlineData("retired", false)]
    public async Task The_database_refuses_to_delete_or_rewrite_what_others_have_seen(string status, bool allowed)
    {
        var (_, version) = await RowAsync(status);
        var expected = allowed ? null : PostgresErrorCodes.CheckViolation;
        Assert.Equal(expected, await RefusalAsync("UPDATE versions SET document = jsonb_build_object('x', $2::text) WHERE id = $1", version, "y"));
        Assert.Equal(expected, await RefusalAsync("DELETE FROM versions WHERE id = $1 AND $2 <> ''", version, "y"));
    }

    [Fact]
    public async Task A_published_version_can_be_deprecated_suspended_resumed_as_deprecated_and_retired()
    {
        var provider = await app.ProviderAsync();
        var listing = await provider.CreateListingAsync();
        await provider.PublishAsync(listing, Declarations.Embeddings());
        var path = $"/api/v1/listings/{listing}/versions/1.0.0";

        Assert.Equal("illegal_transition", await (await provider.PostAsync($"{path}/retire")).CodeAsync(HttpStatusCode.Conflict));
        var before = DateTimeOffset.UtcNow;
        var deprecated = await (await provider.PostAsync($"{path}/deprecate")).JsonAsync();
        Assert.InRange(deprecated["sunsetAt"]!.GetValue<DateTimeOffset>(), before.AddDays(30), before.AddDays(30).AddMinutes(1));
        Assert.Equal("reason_required", await (await provider.PostAsync($"{path}/suspend", new { reason = " " })).CodeAsync(HttpStatusCode.BadRequest));
        var suspended = await (await provider.PostAsync($"{path}/suspend", new { reason = "A leak." })).JsonAsync();
        Assert.Equal(("suspended", "A leak."), (suspended["status"]!.GetValue<string>(), suspended["statusReason"]!.GetValue<string>()));
        Assert.Equal("deprecated", (await (await provider.PostAsync($"{path}/resume")).JsonAsync())["status"]!.GetValue<string>());
        await (await provider.PostAsync($"{path}/retire")).JsonAsync();
        await (await provider.PostAsync($"{path}/retire")).JsonAsync(); // Repeating changes nothing.
        Assert.Equal("illegal_transition", await (await provider.PostAsync($"{path}/submit")).CodeAsync(HttpStatusCode.Conflict));

        var events = await app.EventsAsync(listing);
        Assert.Equal(["published", "deprecated", "suspended", "resumed", "retired"], events.Select(e => e.Data.Cause));
        Assert.Equal(events.Select(e => e.Version).Order(), events.Select(e => e.Version));
        Assert.Equal(VersionStatus.Retired, events[^1].Data.Versions[0].Status);
    }

    [Fact]
    public async Task A_version_that_an_administrator_suspended_is_resumed_by_administrators_only()
    {
        var provider = await app.ProviderAsync();
        var admin = await app.CallerAsync("admin");
        var auditor = await app.CallerAsync("auditor");
        var listing = await provider.CreateListingAsync();
        await provider.PublishAsync(listing, Declarations.Embeddings());
        var path = $"/api/v1/listings/{listing}/versions/1.0.0";
        Assert.Equal("not_your_listing", await (await auditor.PostAsync($"{path}/suspend", new { reason = "No." })).CodeAsync(HttpStatusCode.Forbidden));
        Assert.Equal("not_your_listing", await (await admin.PostAsync($"{path}/deprecate")).CodeAsync(HttpStatusCode.Forbidden));
        await (await admin.PostAsync($"{path}/suspend", new { reason = "Abuse." })).JsonAsync();
        Assert.Equal("suspended_by_operator", await (await provider.PostAsync($"{path}/resume")).CodeAsync(HttpStatusCode.Forbidden));
        Assert.Equal("active", (await (await admin.PostAsync($"{path}/resume")).JsonAsync())["status"]!.GetValue<string>());
    }

    [Fact]
    public async Task A_deprecated_version_is_retired_when_its_sunset_comes_even_while_suspended()
    {
        var clock = new ShiftedClock();
        await using var own = await PublishingApp.StartAsync(shared.Postgres, builder => builder.Services.AddClock(clock));
        var provider = await own.ProviderAsync();
        var listing = await provider.CreateListingAsync();
        await provider.PublishAsync(listing, Declarations.Embeddings("1.0.0"));
        await provider.PublishAsync(listing, Declarations.Embeddings("2.0.0"));
        await provider.PublishAsync(listing, Declarations.Embeddings("3.0.0"));
        foreach (var version in new[] { "1.0.0", "2.0.0" })
        {
            await (await provider.PostAsync($"/api/v1/listings/{listing}/versions/{version}/deprecate")).JsonAsync();
        }

        await (await provider.PostAsync($"/api/v1/listings/{listing}/versions/2.0.0/suspend", new { reason = "Broken." })).JsonAsync();
        clock.Advance(TimeSpan.FromDays(29));
        Assert.Equal("sunset_passed", await (await provider.PostAsync($"/api/v1/listings/{listing}/versions/3.0.0/deprecate", new { sunsetAt = DateTimeOffset.UtcNow })).CodeAsync(HttpStatusCode.BadRequest));
        Assert.Equal("deprecated", await provider.StatusAsync(listing, "1.0.0"));
        clock.Advance(TimeSpan.FromDays(1.1));
        await Until.TrueAsync(async () => await provider.StatusAsync(listing, "1.0.0") == "retired" && await provider.StatusAsync(listing, "2.0.0") == "retired");
        Assert.Equal("active", await provider.StatusAsync(listing, "3.0.0"));
        Assert.Equal(2, (await own.EventsAsync(listing)).Count(e => e.Data.Cause == "retired"));
    }

    /// <summary>A version in any status, put there past the trigger.</summary>
    private async Task<(Guid Listing, Guid Version)> RowAsync(string status)
    {
        var (listing, version) = (Guid.CreateVersion7(), Guid.CreateVersion7());
        await using var connection = await superuser.OpenConnectionAsync();
        await using var batch = new NpgsqlBatch(connection)
        {
            BatchCommands =
            {
                new NpgsqlBatchCommand("SET session_replication_role = replica"),
                new NpgsqlBatchCommand(
                    """
                    INSERT INTO listings (id, organisation_id, provider, name, visibility, suspended, suspended_by_operator, revision, created_by, created_at, changed_at)
                    VALUES ($1, gen_random_uuid(), 'raw', 'raw', '{"kind":"public","organisations":[]}', false, false, 1, 'x', now(), now())
                    """) { Parameters = { new() { Value = listing } } },
                new NpgsqlBatchCommand(
                    """
                    INSERT INTO versions (id, listing_id, version, status, document, issues, suspended_by_operator, created_at, changed_at)
                    VALUES ($1, $2, '1.0.0', $3, '{}', '[]', false, now(), now())
                    """) { Parameters = { new() { Value = version }, new() { Value = listing }, new() { Value = status } } },
            },
        };
        await batch.ExecuteNonQueryAsync();
        return (listing, version);
    }

    /// <summary>SQLSTATE of the refusal, as the service's own role gets it.</summary>
    private async Task<string?> RefusalAsync(string sql, Guid id, string value)
    {
        await using var command = service.CreateCommand(sql);
        command.Parameters.Add(new() { Value = id });
        command.Parameters.Add(new() { Value = value });
        try
        {
            Assert.Equal(1, await command.ExecuteNonQueryAsync());
            return null;
        }
        catch (PostgresException refused)
        {
            return refused.SqlState;
        }
    }
}
