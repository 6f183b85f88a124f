namespace LlmMarketplace.Identity.Tests;

public sealed class MembershipTests(SharedIdentity shared)
{
    private const string Password = "long enough password";

    [Fact]
    public async Task A_membership_is_given_changed_and_taken_as_often_as_one_likes()
    {
        var admin = await (await shared.GetAsync()).AdministratorAsync();
        var slug = Unique.Slug();
        var organisation = await admin.OrganisationAsync(slug);
        var user = await admin.UserAsync(Unique.Email(), Password);
        var path = $"/api/v1/users/{user}/memberships/{organisation}";

        (await admin.PutAsync(path, new { roles = new[] { "consumer" } })).Expect(200);
        (await admin.PutAsync(path, new { roles = new[] { "provider", "consumer", "consumer" } })).Expect(200);
        var membership = Assert.Single((await admin.GetAsync($"/api/v1/users/{user}")).Expect(200).Body.GetProperty("memberships").EnumerateArray());
        Assert.Equal(slug, membership.GetProperty("organisationSlug").GetString());
        Assert.Equal(["consumer", "provider"], membership.GetProperty("roles").EnumerateArray().Select(role => role.GetString()));
        (await admin.DeleteAsync(path)).Expect(204);
        (await admin.DeleteAsync(path)).Expect(204);
        Assert.Empty((await admin.GetAsync($"/api/v1/users/{user}")).Body.GetProperty("memberships").EnumerateArray());
    }

    [Theory]
    [InlineData("admin")]
    [InlineData("approver")]
    [InlineData("auditor")]
    public async Task Roles_of_the_operator_are_held_in_its_organisation_only(string role)
    {
        var app = await shared.GetAsync();
        var admin = await app.AdministratorAsync();
        var organisation = await admin.OrganisationAsync(Unique.Slug());
        var user = await admin.UserAsync(Unique.Email(), Password);

        (await admin.PutAsync($"/api/v1/users/{user}/memberships/{organisation}", new { roles = new[] { role } })).ExpectProblem(409, "operator_role_elsewhere");
        (await admin.PostAsync("/api/v1/clients", new { name = "x", organisationId = organisation, roles = new[] { role } })).ExpectProblem(409, "operator_role_elsewhere");
        (await admin.PutAsync($"/api/v1/users/{user}/memberships/{await admin.OperatorAsync()}", new { roles = new[] { role } })).Expect(200);
    }

    [Theory]
    [InlineData("service")]
    [InlineData("root")]
    [InlineData("")]
    public async Task Other_roles_cannot_be_given_at_all(string role)
    {
        var admin = await (await shared.GetAsync()).AdministratorAsync();
        var operatorId = await admin.OperatorAsync();
        var user = await admin.UserAsync(Unique.Email(), Password);

        (await admin.PutAsync($"/api/v1/users/{user}/memberships/{operatorId}", new { roles = new[] { role } })).ExpectProblem(400, "invalid_roles");
        (await admin.PutAsync($"/api/v1/users/{user}/memberships/{operatorId}", new { roles = Array.Empty<string>() })).ExpectProblem(400, "invalid_roles");
        (await admin.PostAsync("/api/v1/clients", new { name = "x", roles = new[] { role } })).ExpectProblem(400, "invalid_roles");
    }

    [Fact]
    public async Task Nobody_changes_their_own_roles_or_gives_themselves_an_organisation()
    {
        var app = await shared.GetAsync();
        var bootstrap = await app.AdministratorAsync();
        var (operatorId, other) = (await bootstrap.OperatorAsync(), await bootstrap.OrganisationAsync(Unique.Slug()));
        var person = await OrganisationTests.MemberAsync(app, bootstrap, operatorId, "admin");
        var self = (await person.GetAsync("/api/v1/me")).Body.GetProperty("subject").GetString();

        (await person.PutAsync($"/api/v1/users/{self}/memberships/{operatorId}", new { roles = new[] { "admin", "approver" } })).ExpectProblem(403, "self_change");
        (await person.PutAsync($"/api/v1/users/{self}/memberships/{other}", new { roles = new[] { "provider" } })).ExpectProblem(403, "self_change");
        (await person.DeleteAsync($"/api/v1/users/{self}/memberships/{operatorId}")).ExpectProblem(403, "self_change");
        (await person.PatchAsync($"/api/v1/users/{self}", new { locked = true })).ExpectProblem(403, "self_change");
    }

    [Fact]
    public async Task A_role_taken_back_is_gone_before_the_token_ends()
    {
        var app = await shared.GetAsync();
        var bootstrap = await app.AdministratorAsync();
        var operatorId = await bootstrap.OperatorAsync();
        var person = await OrganisationTests.MemberAsync(app, bootstrap, operatorId, "admin");
        var self = (await person.GetAsync("/api/v1/me")).Body.GetProperty("subject").GetString();
        (await person.GetAsync("/api/v1/users")).Expect(200);

        (await bootstrap.PutAsync($"/api/v1/users/{self}/memberships/{operatorId}", new { roles = new[] { "approver" } })).Expect(200);

        (await person.GetAsync("/api/v1/users")).ExpectProblem(403, "access_withdrawn");
        (await bootstrap.DeleteAsync($"/api/v1/users/{self}/memberships/{operatorId}")).Expect(204);
        (await person.GetAsync("/api/v1/me")).ExpectProblem(403, "access_withdrawn");
    }

    [Fact]
    public async Task The_last_administrator_stays()
    {
        await using var app = await IdentityApp.StartAsync(shared.Postgres);
        var bootstrap = await app.AdministratorAsync();
        var operatorId = await bootstrap.OperatorAsync();
        var first = (await bootstrap.GetAsync($"/api/v1/users?email={IdentityApp.AdministratorEmail}")).Body.GetProperty("items")[0].GetProperty("id").GetGuid();
        var membership = $"/api/v1/users/{first}/memberships/{operatorId}";

        (await bootstrap.DeleteAsync(membership)).ExpectProblem(409, "last_administrator");
        (await bootstrap.PutAsync(membership, new { roles = new[] { "auditor" } })).ExpectProblem(409, "last_administrator");
        (await bootstrap.PatchAsync($"/api/v1/users/{first}", new { locked = true })).ExpectProblem(409, "last_administrator");

        // Of two, one may go; of two that go at once, one stays.
        var second = await bootstrap.UserAsync(Unique.Email(), Password, (operatorId, ["admin"]));
        var both = await Task.WhenAll(bootstrap.DeleteAsync(membership), bootstrap.DeleteAsync($"/api/v1/users/{second}/memberships/{operatorId}"));
        Assert.Equal([204, 409], both.Select(answer => answer.Status).Order());
        Assert.Equal(["1"], await app.SqlAsync("SELECT count(*) FROM memberships WHERE 'admin' = ANY(roles)"));
    }
}
