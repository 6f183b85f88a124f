using System.Net;
using System.Text.Json.Nodes;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Publishing.Versions;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace LlmMarketplace.Publishing.Tests.Listings;

public sealed class ListingTests(SharedPublishing shared)
{
    private readonly PublishingApp app = shared.App;

    [Fact]
    public async Task Creating_a_listing_again_answers_409_with_its_id()
    {
        var provider = await app.ProviderAsync();
        var listing = await provider.CreateListingAsync("embed");
        var again = await (await provider.PostAsync("/api/v1/listings", new { name = "embed", visibility = new { kind = "public" } })).JsonAsync(HttpStatusCode.Conflict);
        Assert.Equal(("listing_exists", listing), (again["code"]!.GetValue<string>(), again["listingId"]!.GetValue<Guid>()));
        var other = await app.ProviderAsync();
        Assert.NotEqual(listing, await other.CreateListingAsync("embed"));
    }

    [Theory]
    [InlineData("", "public", "invalid_name")]
    [InlineData("Upper", "public", "invalid_name")]
    [InlineData("a/b", "public", "invalid_name")]
    [InlineData("-a", "public", "invalid_name")]
    [InlineData("a\n", "public", "invalid_name")]
    [InlineData("a", "organisations", "invalid_visibility")]
    public async Task A_wrong_name_or_visibility_is_refused(string name, string kind, string code)
    {
        var provider = await app.ProviderAsync();
        Assert.Equal(code, await (await provider.PostAsync("/api/v1/listings", new { name, visibility = new { kind } })).CodeAsync(HttpStatusCode.BadRequest));
    }

    [Fact]
    public async Task An_organisation_that_is_not_known_yet_is_told_to_try_again()
    {
        var stranger = app.CallerOf(Guid.CreateVersion7(), "new", "alice", "provider");
        var answer = await stranger.PostAsync("/api/v1/listings", new { name = "a", visibility = new { kind = "public" } });
        Assert.Equal("organisation_not_known_yet", await answer.CodeAsync(HttpStatusCode.ServiceUnavailable));
        Assert.Equal("1", answer.Headers.RetryAfter!.ToString());
    }

    [Fact]
    public async Task Only_providers_administrators_and_auditors_come_in()
    {
        var consumer = await app.CallerAsync("consumer");
        Assert.Equal(HttpStatusCode.Forbidden, (await consumer.GetAsync("/api/v1/listings")).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await app.Service.Client.GetAsync(new Uri("/api/v1/listings", UriKind.Relative), TestContext.Current.CancellationToken)).StatusCode);
        var admin = await app.CallerAsync("admin");
        Assert.Equal("provider_role_required", await (await admin.PostAsync("/api/v1/listings", new { name = "a", visibility = new { kind = "public" } })).CodeAsync(HttpStatusCode.Forbidden));
    }

    [Fact]
    public async Task Nobody_else_sees_or_changes_a_listing()
    {
        var provider = await app.ProviderAsync();
        var listing = await provider.CreateListingAsync();
        await provider.DraftAsync(listing, Declarations.Embeddings());
        var run = await provider.SubmitAsync(listing, "1.0.0");
        await provider.SettledRunAsync(run);
        var other = await app.ProviderAsync();
        var path = $"/api/v1/listings/{listing}";
        foreach (var answer in new[]
        {
            await other.GetAsync(path),
            await other.GetAsync($"{path}/versions/1.0.0"),
            await other.GetAsync($"/api/v1/pipeline-runs/{run}"),
            await other.GetAsync($"/api/v1/pipeline-runs/{run}/events"),
            await other.PatchAsync(path, new { visibility = new { kind = "private" } }),
            await other.PostAsync($"{path}/suspend", new { reason = "No." }),
            await other.PostAsync($"{path}/versions", Declarations.Embeddings("2.0.0")),
            await other.PostAsync($"{path}/versions/validate", Declarations.Embeddings("2.0.0")),
            await other.PostAsync($"{path}/versions/1.0.0/deprecate"),
            await other.RewriteAsync(listing, Declarations.Embeddings()),
        })
        {
            Assert.Equal("not_found", await answer.CodeAsync(HttpStatusCode.NotFound));
        }

        Assert.Empty((await (await other.GetAsync("/api/v1/listings")).JsonAsync())["items"]!.AsArray());
        var auditor = await app.CallerAsync("auditor");
        await (await auditor.GetAsync(path)).JsonAsync();
        Assert.Equal("not_your_listing", await (await auditor.PatchAsync(path, new { visibility = new { kind = "private" } })).CodeAsync(HttpStatusCode.Forbidden));
    }

    [Fact]
    public async Task Listings_come_in_pages_newest_first()
    {
        var provider = await app.ProviderAsync();
        var made = new List<Guid>();
        for (var i = 0; i < 5; i++)
        {
            made.Add(await provider.CreateListingAsync($"service-{i}"));
        }

        var seen = new List<Guid>();
        for (string? cursor = ""; cursor is not null;)
        {
            var page = await (await provider.GetAsync($"/api/v1/listings?limit=2{(cursor.Length == 0 ? "" : $"&cursor={cursor}")}")).JsonAsync();
            seen.AddRange(page["items"]!.AsArray().Select(item => item!["id"]!.GetValue<Guid>()));
            cursor = page["nextCursor"]?.GetValue<string>();
        }

        made.Reverse();
        Assert.Equal(made, seen);
        Assert.Equal("invalid_cursor", await (await provider.GetAsync("/api/v1/listings?cursor=x")).CodeAsync(HttpStatusCode.BadRequest));
    }

    [Fact]
    public async Task Others_hear_of_a_changed_visibility_once_there_is_something_to_see()
    {
        var provider = await app.ProviderAsync();
        var listing = await provider.CreateListingAsync();
        var path = $"/api/v1/listings/{listing}";
        await (await provider.PatchAsync(path, new { visibility = new { kind = "private" } })).JsonAsync();
        Assert.Empty(await app.EventsAsync(listing));
        await provider.PublishAsync(listing, Declarations.Embeddings());
        var friend = Guid.CreateVersion7();
        await (await provider.PatchAsync(path, new { visibility = new { kind = "organisations", organisations = new[] { friend, friend } } })).JsonAsync();
        await (await provider.PatchAsync(path, new { visibility = new { kind = "organisations", organisations = new[] { friend } } })).JsonAsync(); // No change.
        var events = await app.EventsAsync(listing);
        Assert.Equal(["published", "visibility_changed"], events.Select(e => e.Data.Cause));
        Assert.Equal([friend], events[1].Data.Visibility.Organisations);
    }

    [Fact]
    public async Task A_suspended_listing_suspends_its_versions_and_resumes_each_as_it_was()
    {
        var provider = await app.ProviderAsync();
        var admin = await app.CallerAsync("admin");
        var listing = await provider.CreateListingAsync();
        await provider.PublishAsync(listing, Declarations.Embeddings("1.0.0"));
        await provider.PublishAsync(listing, Declarations.Embeddings("2.0.0"));
        await (await provider.PostAsync($"/api/v1/listings/{listing}/versions/1.0.0/deprecate")).JsonAsync();

        await (await admin.PostAsync($"/api/v1/listings/{listing}/suspend", new { reason = "Court order." })).JsonAsync();
        Assert.Equal(("suspended", "suspended"), (await provider.StatusAsync(listing, "1.0.0"), await provider.StatusAsync(listing, "2.0.0")));
        var suspended = (await app.EventsAsync(listing))[^1].Data;
        Assert.True(suspended.Suspended);
        Assert.All(suspended.Versions, version => Assert.Equal(VersionStatus.Suspended, version.Status));
        Assert.Equal("suspended_by_operator", await (await provider.PostAsync($"/api/v1/listings/{listing}/resume")).CodeAsync(HttpStatusCode.Forbidden));

        await (await admin.PostAsync($"/api/v1/listings/{listing}/resume")).JsonAsync();
        var resumed = (await app.EventsAsync(listing))[^1].Data;
        Assert.Equal(["deprecated", "active"], new[] { await provider.StatusAsync(listing, "1.0.0"), await provider.StatusAsync(listing, "2.0.0") });
        Assert.Equal([VersionStatus.Deprecated, VersionStatus.Active], resumed.Versions.Select(version => version.Status));
    }

    [Fact]
    public async Task A_credential_is_never_shown_and_lies_encrypted()
    {
        var provider = await app.ProviderAsync();
        var listing = await provider.CreateListingAsync();
        var drafted = await provider.DraftAsync(listing, Declarations.Embeddings());
        Assert.True(drafted["hasSecret"]!.GetValue<bool>());
        var run = await provider.SubmitAsync(listing, "1.0.0");
        await provider.SettledRunAsync(run);
        foreach (var path in new[] { $"/api/v1/listings/{listing}/versions/1.0.0", $"/api/v1/listings/{listing}", "/api/v1/listings", $"/api/v1/pipeline-runs/{run}", $"/api/v1/pipeline-runs/{run}/events" })
        {
            var shown = await (await provider.GetAsync(path)).Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
            Assert.DoesNotContain("sk-very-secret", shown, StringComparison.Ordinal);
            Assert.DoesNotContain("ciphertext", shown, StringComparison.OrdinalIgnoreCase);
        }

        await using var command = app.Owner.CreateCommand("SELECT count(*) FROM versions AS v, messaging.outbox AS o WHERE v.listing_id = $1 AND o.key = $1 AND (v::text LIKE '%sk-very-secret%' OR o.data::text LIKE '%sk-very-secret%')");
        command.Parameters.Add(new() { Value = listing });
        Assert.Equal(0L, await command.ExecuteScalarAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_dry_run_says_everything_and_keeps_nothing()
    {
        var provider = await app.ProviderAsync();
        var listing = await provider.CreateListingAsync();
        var wrong = Declarations.Embeddings();
        wrong["endpoint"]!["url"] = "http://169.254.169.254/";
        var report = await (await provider.PostAsync($"/api/v1/listings/{listing}/versions/validate", wrong)).JsonAsync();
        Assert.False(report["valid"]!.GetValue<bool>());
        Assert.Equal(["INSECURE_ENDPOINT", "FORBIDDEN_ENDPOINT"], report["issues"]!.AsArray().Select(issue => issue!["code"]!.GetValue<string>()));
        Assert.Empty((await (await provider.GetAsync($"/api/v1/listings/{listing}")).JsonAsync())["versions"]!.AsArray());
        await provider.DraftAsync(listing, Declarations.Embeddings());
        Assert.True((await (await provider.PostAsync($"/api/v1/listings/{listing}/versions/1.0.0/validate")).JsonAsync())["valid"]!.GetValue<bool>());
        Assert.Equal("draft", await provider.StatusAsync(listing, "1.0.0"));
    }

    [Fact]
    public async Task Drafting_twice_is_DUPLICATE_VERSION_and_too_much_is_SERVICE_TOO_LARGE()
    {
        var provider = await app.ProviderAsync();
        var listing = await provider.CreateListingAsync();
        var path = $"/api/v1/listings/{listing}/versions";
        var first = await provider.DraftAsync(listing, Declarations.Embeddings());
        var again = await (await provider.PostAsync(path, Declarations.Embeddings())).JsonAsync(HttpStatusCode.Conflict);
        Assert.Equal(("DUPLICATE_VERSION", first["id"]!.GetValue<Guid>()), (again["code"]!.GetValue<string>(), again["versionId"]!.GetValue<Guid>()));
        var large = Declarations.Embeddings("2.0.0");
        large["documentation"] = new string('x', 1024 * 1024);
        Assert.Equal("SERVICE_TOO_LARGE", await (await provider.PostAsync(path, large)).CodeAsync(HttpStatusCode.RequestEntityTooLarge));
        Assert.Equal("INVALID_VERSION_METADATA", await (await provider.PostAsync(path, Declarations.Embeddings("two"))).CodeAsync(HttpStatusCode.BadRequest));
    }

    [Fact]
    public async Task The_OpenAPI_document_comes_back_as_it_was_sent()
    {
        var provider = await app.ProviderAsync();
        var listing = await provider.CreateListingAsync();
        var declaration = Declarations.Embeddings();
        declaration["endpoint"]!["protocol"] = "rest";
        declaration["openApi"] = Declarations.OpenApi();
        Assert.Equal("succeeded", (await provider.PublishAsync(listing, declaration))["status"]!.GetValue<string>());
        var version = await provider.VersionAsync(listing, "1.0.0");
        Assert.Equal(Declarations.OpenApi().ToJsonString(), version["declaration"]!["openApi"]!.ToJsonString());
        var told = (await app.EventsAsync(listing))[0].Data.Versions[0];
        Assert.Equal(version["openApiSha256"]!.GetValue<string>(), told.Specification.OpenApiSha256);
        var document = Assert.Single(await app.DocumentsAsync(told.VersionId));
        Assert.Equal((listing, told.Specification.OpenApiSha256, Declarations.OpenApi().ToJsonString()), (document.ListingId, document.Sha256, JsonNode.Parse(document.Document)!.ToJsonString()));
    }

    [Fact]
    public async Task A_document_that_was_not_told_when_its_version_was_published_is_told_at_the_next_start_and_once()
    {
        var provider = await app.ProviderAsync();
        var (listing, other) = (await provider.CreateListingAsync(), await provider.CreateListingAsync("other"));
        var declaration = Declarations.Embeddings();
        declaration["openApi"] = Declarations.OpenApi();
        await provider.PublishAsync(other, declaration.DeepClone().AsObject()); // It is called by its protocol, not by the document.
        declaration["endpoint"]!["protocol"] = "rest";
        await provider.PublishAsync(listing, declaration);
        var version = (await app.EventsAsync(listing))[0].Data.Versions[0].VersionId;
        await using var forget = app.Owner.CreateCommand("DELETE FROM messaging.outbox WHERE key = $1");
        forget.Parameters.Add(new() { Value = version });
        Assert.Equal(1, await forget.ExecuteNonQueryAsync(TestContext.Current.CancellationToken));
        var start = app.Service.App.Services.GetServices<IHostedService>().OfType<TellDocuments>().Single();

        await start.RunAsync(TestContext.Current.CancellationToken);
        await start.RunAsync(TestContext.Current.CancellationToken);

        Assert.Equal(Declarations.OpenApi().ToJsonString(), JsonNode.Parse(Assert.Single(await app.DocumentsAsync(version)).Document)!.ToJsonString());
        Assert.Empty(await app.DocumentsAsync((await app.EventsAsync(other))[0].Data.Versions[0].VersionId));
    }
}
