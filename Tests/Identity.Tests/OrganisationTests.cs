namespace LlmMarketplace.Identity.Tests;

public sealed class OrganisationTests(SharedIdentity shared)
{
    [Fact]
    public async Task An_organisation_is_made_read_and_changed()
    {
        var admin = await (await shared.GetAsync()).AdministratorAsync();
        var slug = Unique.Slug();

        var made = (await admin.PostAsync("/api/v1/organisations", new { slug, name = "Some name", clearance = "confidential", tier = "premium" })).Expect(201);
        var path = $"/api/v1/organisations/{made.Body.GetProperty("id").GetGuid()}";
        Assert.Equal(7, made.Body.GetProperty("id").GetGuid().Version);
        Assert.Equal("active", made.Body.GetProperty("status").GetString());
        var changed = (await admin.PatchAsync(path, new { name = "Another", tier = "enterprise" })).Expect(200);

        var read = (await admin.GetAsync(path)).Expect(200);
        Assert.Equal("Another", read.Body.GetProperty("name").GetString());
        Assert.Equal("enterprise", read.Body.GetProperty("tier").GetString());
        Assert.Equal("confidential", read.Body.GetProperty("clearance").GetString());
        Assert.Equal(2, read.Body.GetProperty("version").GetInt64());
        Assert.Equal(changed.ETag, read.ETag);
        Assert.NotEqual(made.ETag, read.ETag);
    }

    [Theory]
    [InlineData("a")]
    [InlineData("Upper")]
    [InlineData("-begins")]
    [InlineData("ends-")]
    [InlineData("has space")]
    [InlineData("ünder")]
    [InlineData("a23456789012345678901234567890123456789012")]
    [InlineData(null)]
    public async Task A_slug_must_fit_into_addresses(string? slug)
    {
        var admin = await (await shared.GetAsync()).AdministratorAsync();

        (await admin.PostAsync("/api/v1/organisations", new { slug, name = "x" })).ExpectProblem(400, "invalid_slug");
    }

    [Fact]
    public async Task A_slug_is_given_once_and_never_changes()
    {
        var app = await shared.GetAsync();
        var admin = await app.AdministratorAsync();
        var slug = Unique.Slug();
        var id = await admin.OrganisationAsync(slug);

        (await admin.PostAsync("/api/v1/organisations", new { slug, name = "x" })).ExpectProblem(409, "slug_taken");
        (await admin.PatchAsync($"/api/v1/organisations/{id}", new { slug = "another" })).ExpectProblem(400, "slug_is_fixed");
        var refused = await Assert.ThrowsAsync<Npgsql.PostgresException>(() => app.SqlAsync($"UPDATE organisations SET slug = 'another' WHERE id = '{id}'"));
        Assert.Equal("23514", refused.SqlState);
    }

    [Fact]
    public async Task A_change_of_what_was_changed_meanwhile_is_refused()
    {
        var admin = await (await shared.GetAsync()).AdministratorAsync();
        var path = $"/api/v1/organisations/{await admin.OrganisationAsync(Unique.Slug())}";
        var read = await admin.GetAsync(path);

        (await admin.PatchAsync(path, new { name = "first" }, read.ETag)).Expect(200);
        (await admin.PatchAsync(path, new { name = "second" }, read.ETag)).ExpectProblem(412, "precondition_failed");
    }

    [Fact]
    public async Task Everybody_else_sees_their_own_and_changes_none()
    {
        var app = await shared.GetAsync();
        var admin = await app.AdministratorAsync();
        var (own, other) = (await admin.OrganisationAsync(Unique.Slug()), await admin.OrganisationAsync(Unique.Slug()));
        var member = await MemberAsync(app, admin, own, "provider", "consumer");

        var list = (await member.GetAsync("/api/v1/organisations")).Expect(200).Body;
        Assert.Equal(own, Assert.Single(list.GetProperty("items").EnumerateArray()).GetProperty("id").GetGuid());
        (await member.GetAsync($"/api/v1/organisations/{own}")).Expect(200);
        (await member.GetAsync($"/api/v1/organisations/{other}")).ExpectProblem(404, "not_found");
        (await member.PostAsync("/api/v1/organisations", new { slug = Unique.Slug(), name = "x" })).ExpectProblem(403, "role_required");
        (await member.PatchAsync($"/api/v1/organisations/{own}", new { tier = "enterprise" })).ExpectProblem(403, "role_required");
        (await member.PostAsync("/api/v1/users", new { email = Unique.Email(), password = "long enough password" })).ExpectProblem(403, "role_required");
        (await member.GetAsync("/api/v1/users")).ExpectProblem(403, "role_required");
    }

    [Fact]
    public async Task The_list_comes_in_pages_without_gaps_or_repeats()
    {
        var admin = await (await shared.GetAsync()).AdministratorAsync();
        var made = new HashSet<Guid>();
        for (var i = 0; i < 5; i++)
        {
            made.Add(await admin.OrganisationAsync(Unique.Slug()));
        }

        var seen = new List<Guid>();
        string? cursor = null;
        do
        {
            var page = (await admin.GetAsync($"/api/v1/organisations?limit=2{(cursor is null ? "" : "&cursor=" + cursor)}")).Expect(200).Body;
            seen.AddRange(page.GetProperty("items").EnumerateArray().Select(item => item.GetProperty("id").GetGuid()));
            cursor = page.GetProperty("nextCursor").GetString();
        }
        while (cursor is not null);

        Assert.Equal(seen.Count, seen.Distinct().Count());
        Assert.Superset(made, seen.ToHashSet());
        (await admin.GetAsync("/api/v1/organisations?cursor=junk")).ExpectProblem(400, "invalid_cursor");
    }

    [Fact]
    public async Task A_suspended_organisation_gets_no_tokens_and_its_tokens_no_hearing()
    {
        var app = await shared.GetAsync();
        var admin = await app.AdministratorAsync();
        var organisation = await admin.OrganisationAsync(Unique.Slug());
        var email = Unique.Email();
        await admin.UserAsync(email, "long enough password", (organisation, ["consumer"]));
        var (id, secret) = await admin.ClientAsync(organisation, "consumer");
        var client = app.ApiWith((await app.ClientTokenAsync(id, secret)).Body.GetProperty("access_token").GetString());
        (await client.GetAsync("/api/v1/me")).Expect(200);

        (await admin.PatchAsync($"/api/v1/organisations/{organisation}", new { status = "suspended" })).Expect(200);

        Assert.Equal("unauthorized_client", (await app.ClientTokenAsync(id, secret)).Body.GetProperty("error").GetString());
        (await client.GetAsync("/api/v1/me")).ExpectProblem(403, "access_withdrawn");
        var browser = new Browser(app);
        await browser.GoAsync(browser.AuthorizeAddress());
        await browser.SignInAsync(email, "long enough password");
        Assert.Equal("access_denied", browser.LeftWith("error"));

        (await admin.PatchAsync($"/api/v1/organisations/{organisation}", new { status = "active" })).Expect(200);
        Assert.Equal(200, (await app.ClientTokenAsync(id, secret)).Status);
    }

    [Fact]
    public async Task The_operator_cannot_be_suspended()
    {
        var admin = await (await shared.GetAsync()).AdministratorAsync();

        (await admin.PatchAsync($"/api/v1/organisations/{await admin.OperatorAsync()}", new { status = "suspended" })).ExpectProblem(409, "operator_organisation");
    }

    [Fact]
    public async Task A_change_and_its_event_are_stored_together_and_no_change_is_no_event()
    {
        var app = await shared.GetAsync();
        var admin = await app.AdministratorAsync();
        var slug = Unique.Slug();
        var id = await admin.OrganisationAsync(slug);
        (await admin.PatchAsync($"/api/v1/organisations/{id}", new { clearance = "internal" })).Expect(200);
        (await admin.PatchAsync($"/api/v1/organisations/{id}", new { clearance = "internal" })).Expect(200); // As it is.
        (await admin.PatchAsync($"/api/v1/organisations/{id}", new { name = "" })).Expect(400);
        (await admin.PostAsync("/api/v1/organisations", new { slug, name = "again" })).Expect(409);

        var events = await app.SqlAsync($"SELECT aggregate_version || ' ' || type || ' ' || (data->>'slug') || ' ' || (data->>'clearance') || ' ' || topic FROM messaging.outbox WHERE key = '{id}' ORDER BY aggregate_version");
        Assert.Equal(
            [$"1 marketplace.organisation.changed.v1 {slug} public marketplace.organisations", $"2 marketplace.organisation.changed.v1 {slug} internal marketplace.organisations"],
            events);
        Assert.Equal(["1"], await app.SqlAsync($"SELECT count(*) FROM messaging.outbox WHERE data->>'slug' = '{slug}' AND aggregate_version = 1"));
    }

    [Fact]
    public async Task Changes_at_once_are_all_kept_or_refused_and_each_has_its_own_version()
    {
        var app = await shared.GetAsync();
        var admin = await app.AdministratorAsync();
        var id = await admin.OrganisationAsync(Unique.Slug());

        var answers = await Task.WhenAll(Enumerable.Range(0, 10).Select(i => admin.PatchAsync($"/api/v1/organisations/{id}", new { name = $"name {i}" })));

        Assert.All(answers, answer => Assert.True(answer.Status == 200 || answer.Code == "changed_meanwhile", answer.Body.ToString()));
        var kept = answers.Count(answer => answer.Status == 200);
        Assert.Equal([$"{kept + 1}"], await app.SqlAsync($"SELECT version FROM organisations WHERE id = '{id}'"));
        Assert.Equal([$"{kept + 1}"], await app.SqlAsync($"SELECT count(DISTINCT aggregate_version) FROM messaging.outbox WHERE key = '{id}'"));
    }

    internal static async Task<Api> MemberAsync(IdentityApp app, Api admin, Guid organisation, params string[] roles)
    {
        var email = Unique.Email();
        await admin.UserAsync(email, "long enough password", (organisation, roles));
        var (status, body) = await new Browser(app).TokenAsync(email, "long enough password");
        Assert.Equal(200, status);
        return app.ApiWith(body.GetProperty("access_token").GetString());
    }
}
